"""The resources of the TPM service."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from tpm.service.keys.store import NAME
from tpm.service.views import attestations, certify, crypto, health, identity, keys, manifest, openapi, pcrs, sealed


class KeyName(StringConverter):
    regex = NAME


register_converter(KeyName, "key")

urlpatterns = [
    path("v1/openapi.json", openapi.OpenApiView.as_view()),
    path("v1/docs", openapi.PageView.as_view()),
    path("v1/health", health.HealthView.as_view()),
    path("v1/keys", keys.KeysView.as_view()),
    path("v1/keys/<key:name>", keys.KeyView.as_view()),
    path("v1/keys/<key:name>/sign", keys.SignView.as_view()),
    path("v1/keys/<key:name>/verify", keys.VerifyView.as_view()),
    path("v1/keys/<key:name>/encrypt", keys.EncryptView.as_view()),
    path("v1/keys/<key:name>/decrypt", keys.DecryptView.as_view()),
    path("v1/keys/<key:name>/certify", certify.CertifyView.as_view()),
    path("v1/sealed", sealed.SealedListView.as_view()),
    path("v1/sealed/<key:name>", sealed.SealedView.as_view()),
    path("v1/sealed/<key:name>/unseal", sealed.UnsealView.as_view()),
    path("v1/pcrs", pcrs.PcrsView.as_view()),
    path("v1/pcrs/<int:pcr>/events", pcrs.EventsView.as_view()),
    path("v1/identity", identity.IdentityView.as_view()),
    path("v1/identity/activate", identity.ActivateView.as_view()),
    path("v1/attestations", attestations.AttestationsView.as_view()),
    path("v1/manifest", manifest.ManifestView.as_view()),
    path("v1/random", crypto.RandomView.as_view()),
    path("v1/hash", crypto.HashView.as_view()),
]

handler400 = "tpm.service.door.problems.bad_request"
handler404 = "tpm.service.door.problems.not_found"
handler500 = "tpm.service.door.problems.server_error"
