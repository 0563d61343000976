# The portal: one image for web, worker, beat and the commands of manage.py. See docs/containers.md.
#
# Build secrets, none of which enters an image (all optional): `ca`, the certificates that pip trusts; `pip_conf`, where
# pip finds packages. Proxies come by the build arguments that Docker predefines (http_proxy, …).
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS builder
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-pip \
    && rm -rf /var/lib/apt/lists/*
COPY requirements.txt constraints.txt /build/
# The TPM is no business of the portal: without tpm2-pytss nothing is compiled here.
RUN --mount=type=secret,id=ca --mount=type=secret,id=pip_conf,target=/etc/pip.conf --mount=type=cache,target=/root/.cache/pip \
    if [ -f /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi \
    && grep --invert-match '^tpm2-pytss' /build/requirements.txt > /build/portal.txt \
    && python3 -m pip install --disable-pip-version-check --no-compile --target /site-packages \
       --requirement /build/portal.txt --constraint /build/constraints.txt \
    && python3 -m compileall -q --invalidation-mode unchecked-hash /site-packages
COPY manage.py /app/
COPY accounts /app/accounts
COPY api /app/api
COPY common /app/common
COPY evportal /app/evportal
COPY gateway /app/gateway
COPY ledger /app/ledger
COPY locale /app/locale
COPY portal /app/portal
COPY stations /app/stations
COPY static /app/static
COPY templates /app/templates
COPY tpm /app/tpm
# tpm/service runs beside the TPM and nowhere else. The secret key is needed to start Django, and used for nothing here.
RUN rm -r /app/tpm/service \
    && cd /app \
    && EVPORTAL_SECRET_KEY=build PYTHONPATH=/site-packages python3 -B manage.py collectstatic --no-input --verbosity 0 \
    && python3 -m compileall -q --invalidation-mode unchecked-hash /app

FROM ${BASE}
# ca-certificates: the mail server's certificate is checked. pango, harfbuzz and fonts: statements as PDF. The fonts for
# names in other scripts are 134 MB (69 MB to download); papers made without them have numbers for those letters.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 tzdata ca-certificates \
       libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core fonts-noto-core fonts-noto-cjk \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --home-dir /app --shell /usr/sbin/nologin portal \
    && install --directory --owner=10001 --group=10001 --mode=0700 /ledger
COPY --from=builder /site-packages /site-packages
COPY --from=builder /app /app
RUN install --directory --owner=10001 --group=10001 --mode=0700 /app/var/mail
ENV PYTHONPATH=/site-packages PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
USER 10001:10001
EXPOSE 8000
CMD ["python3", "-m", "gunicorn", "--config", "evportal/web/gunicorn.conf.py", "--bind", "0.0.0.0:8000", \
     "--worker-tmp-dir", "/dev/shm", "--access-logfile", "-"]
