"""What the TPM service answers when it cannot do what was asked: RFC 9457 problems with a stable `code`.

    ServiceError
    ├── InvalidRequestError 400      invalid_request, invalid_json
    │   ├── InvalidDigestError       invalid_digest
    │   ├── InvalidEncodingError     invalid_encoding
    │   ├── InvalidCiphertextError   invalid_ciphertext
    │   └── InvalidCredentialError   invalid_credential
    ├── TokenRefusedError 401        token_missing, token_invalid, token_expired, token_not_yet_valid
    ├── ForbiddenError 403           client_not_allowed, insufficient_scope, key_not_in_scope, pcr_not_allowed
    ├── NotFoundError 404            key_not_found, sealed_not_found, manifest_not_found, not_found
    ├── MethodNotAllowedError 405    method_not_allowed
    ├── ConflictError 409            key_conflict, sealed_conflict, idempotency_conflict
    ├── TooLargeError 413            body_too_large, batch_too_large, data_too_large
    ├── UnsupportedMediaError 415    unsupported_media_type
    ├── KeyUsageError 422            key_usage
    ├── TpmLockoutError 423          tpm_lockout
    ├── QueueFullError 429           queue_full
    ├── RateLimitedError 429         rate_limited
    ├── InProgressError 429          request_in_progress
    ├── TpmFailureError 500          tpm_failure
    ├── InternalError 500            internal_error
    ├── UnavailableError 503         identity_unavailable
    │   ├── TpmUnavailableError      tpm_unavailable
    │   ├── TpmNoMemoryError         tpm_no_memory
    │   ├── KeyUnusableError         key_unusable
    │   ├── AuditUnavailableError    audit_unavailable
    │   └── IntegrityFailedError     integrity_failed
    │       └── NotApprovedError     integrity_failed: the TPM itself says so
    └── QueueDeadlineError 504       queue_deadline

`detail` says what was expected and what came. It never holds a text of the TSS, a secret or a digest.
"""

from collections.abc import Mapping

RETRY_AFTER_S = 1


class ServiceError(Exception):
    """The root: an HTTP status, a stable code, a title for the code, and a detail for this one occurrence."""

    status = 500
    code = "internal_error"
    title = "The service failed"
    headers: Mapping[str, str] = {}

    def __init__(self, detail: str = "", *, code: str | None = None) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.code = code or self.code

    def problem(self) -> dict[str, object]:
        """Return the body of the answer (RFC 9457, 3.1)."""
        return {**self.summary(), "type": "about:blank", "detail": self.detail}

    def summary(self) -> dict[str, object]:
        """Return the short form that stands for one item of a batch."""
        return {"code": self.code, "title": self.title, "status": self.status}


class InternalError(ServiceError):
    """A defect of the service; the log has the trace."""


class InvalidRequestError(ServiceError):
    status = 400
    code = "invalid_request"
    title = "The request is not valid"


class InvalidDigestError(InvalidRequestError):
    code = "invalid_digest"
    title = "The digest has the wrong length"


class InvalidEncodingError(InvalidRequestError):
    code = "invalid_encoding"
    title = "The value is not encoded as it should be"


class InvalidCiphertextError(InvalidRequestError):
    """It says no more than that: what exactly was wrong would help to decrypt (Manger's attack on OAEP)."""

    code = "invalid_ciphertext"
    title = "The ciphertext is not one for this key"


class InvalidCredentialError(InvalidRequestError):
    """It was not made for this EK and AK."""

    code = "invalid_credential"
    title = "The credential is not one for this TPM"


class TokenRefusedError(ServiceError):
    status = 401
    code = "token_invalid"
    title = "The access token was refused"
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class ForbiddenError(ServiceError):
    status = 403
    code = "insufficient_scope"
    title = "This client may not do that"


class NotFoundError(ServiceError):
    status = 404
    code = "not_found"
    title = "There is no such resource"


class MethodNotAllowedError(ServiceError):
    status = 405
    code = "method_not_allowed"
    title = "The resource does not have this method"


class ConflictError(ServiceError):
    status = 409
    code = "key_conflict"
    title = "The request contradicts an earlier one"


class TooLargeError(ServiceError):
    status = 413
    code = "body_too_large"
    title = "The request is too large"


class UnsupportedMediaError(ServiceError):
    status = 415
    code = "unsupported_media_type"
    title = "The body must be application/json"


class KeyUsageError(ServiceError):
    status = 422
    code = "key_usage"
    title = "The key is not for this use"


class TpmLockoutError(ServiceError):
    status = 423
    code = "tpm_lockout"
    title = "The TPM is locked out"


class QueueFullError(ServiceError):
    status = 429
    code = "queue_full"
    title = "Too many requests wait for the TPM"
    headers = {"Retry-After": str(RETRY_AFTER_S)}


class RateLimitedError(ServiceError):
    status = 429
    code = "rate_limited"
    title = "This client sends too many requests"

    def __init__(self, detail: str = "", *, retry_after_s: int = RETRY_AFTER_S) -> None:
        super().__init__(detail)
        self.headers = {"Retry-After": str(retry_after_s)}


class InProgressError(ServiceError):
    """Not 409, as the draft of Idempotency-Key has it: the same request will have its answer a moment later."""

    status = 429
    code = "request_in_progress"
    title = "The same request is still at work"
    headers = {"Retry-After": str(RETRY_AFTER_S)}


class TpmFailureError(ServiceError):
    """The TPM refused an operation that should have worked; the log has its return code."""

    code = "tpm_failure"
    title = "The TPM refused the operation"


class UnavailableError(ServiceError):
    status = 503
    code = "unavailable"
    title = "Something that is needed does not answer"
    headers = {"Retry-After": str(RETRY_AFTER_S)}


class TpmUnavailableError(UnavailableError):
    code = "tpm_unavailable"
    title = "The TPM does not answer"


class TpmNoMemoryError(UnavailableError):
    code = "tpm_no_memory"
    title = "The TPM has no free slot"


class KeyUnusableError(UnavailableError):
    """The key's file is damaged or was made by another TPM. Retrying does not help until somebody restores it."""

    code = "key_unusable"
    title = "The TPM does not accept the stored key"


class AuditUnavailableError(UnavailableError):
    """The log of key uses cannot be written (a full disk, mostly), and what is not logged is not done."""

    code = "audit_unavailable"
    title = "The use of the key cannot be logged"


class IntegrityFailedError(UnavailableError):
    """The files in the measured volumes are not those of an approved release, or changed while the service ran."""

    code = "integrity_failed"
    title = "The service is not what was approved"


class NotApprovedError(IntegrityFailedError):
    """The TPM finds no approval for the PCRs as they are."""


class QueueDeadlineError(ServiceError):
    status = 504
    code = "queue_deadline"
    title = "The request waited too long for the TPM"
    headers = {"Retry-After": str(RETRY_AFTER_S)}
