"""Accounts: who you are and what your role may do. Knows nothing of visits."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Accounts"
