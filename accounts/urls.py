"""Pages of accounts: signing in, second factors, passwords, links."""

from django.urls import path

from accounts import views
from accounts.emergency import views as emergency
from accounts.invitations import views as invitations
from accounts.links import views as links
from accounts.login import views as login
from accounts.mfa import factor_views as factors
from accounts.mfa import views as mfa
from accounts.passkeys import views as passkeys
from accounts.password import views as password
from accounts.patients import desk
from accounts.patients import views as patients
from accounts.proxies import views as proxies
from accounts.sessions import views as sessions

app_name = "accounts"
urlpatterns = [
    path("signin/", login.sign_in, name="signin"),
    path("signin/passkey/", passkeys.sign_in, name="passkey-signin"),
    path("signout/", login.sign_out, name="signout"),
    path("mfa/", mfa.code, name="mfa-code"),
    path("mfa/setup/", mfa.setup, name="mfa-setup"),
    path("mfa/recovery-codes/", mfa.recovery_codes, name="recovery-codes"),
    path("factors/", factors.overview, name="factors"),
    path("factors/phone/", factors.add_phone, name="factor-phone"),
    path("factors/passkey/", factors.add_passkey, name="factor-passkey"),
    path("factors/<slug:key>/", factors.change, name="factor"),
    path("sessions/", sessions.overview, name="sessions"),
    path("sessions/end-others/", sessions.end_others, name="sessions-end-others"),
    path("sessions/extend/", sessions.extend, name="session-extend"),
    path("sessions/<uuid:pk>/end/", sessions.end, name="session-end"),
    path("passkeys/options/", passkeys.options, name="passkey-options"),
    path("passkeys/enrol-options/", passkeys.enrol_options, name="passkey-enrol-options"),
    path("password/", password.change, name="password"),
    path("password/forgotten/", password.forgotten, name="password-forgotten"),
    path("password/<uuid:pk>/<str:token>/", password.choose, name="password-choose"),
    path("invitation/<str:token>/", invitations.answer, name="invitation"),
    path("clinic/", views.switch_clinic, name="clinic"),
    path("no-clinic/", views.no_clinic, name="no-clinic"),
    path("patients/<uuid:pk>/proxies/", proxies.people, name="proxies"),
    path("patients/<uuid:pk>/proxies/new/", proxies.add, name="proxy-add"),
    path("proxies/<uuid:pk>/", proxies.change, name="proxy"),
    path("proxies/<uuid:pk>/end/", proxies.end, name="proxy-end"),
    path("patients/<uuid:pk>/account/", desk.of_patient, name="patient-account"),
    path("me/signin/", patients.sign_in, name="patient-signin"),
    path("me/signin/code/", patients.code, name="patient-code"),
    path("me/signin/which/", patients.which, name="patient-which"),
    path("me/account/", patients.account, name="account"),
    path("me/account/end/", patients.end, name="account-end"),
    path("my/<uuid:pk>/account/", patients.claim, name="claim"),
    path("my/<uuid:pk>/account/code/", patients.claim_code, name="claim-code"),
    path("patients/<uuid:pk>/emergency/", emergency.open_record, name="emergency"),
    path("link-needed/", links.needed, name="link-needed"),
    path("v/<str:token>/", links.land, name="link"),
]
