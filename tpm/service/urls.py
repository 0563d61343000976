"""The resources of the TPM service."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from tpm.service import views
from tpm.service.keys import NAME


class KeyName(StringConverter):
    regex = NAME


register_converter(KeyName, "key")

urlpatterns = [
    path("v1/health", views.HealthView.as_view()),
    path("v1/keys", views.KeysView.as_view()),
    path("v1/keys/<key:name>", views.KeyView.as_view()),
    path("v1/keys/<key:name>/sign", views.SignView.as_view()),
]

handler400 = "tpm.service.problems.bad_request"
handler404 = "tpm.service.problems.not_found"
handler500 = "tpm.service.problems.server_error"
