"""Encryption at rest: columns that the database, its backups and whoever reads them cannot open."""
