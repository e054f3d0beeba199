# The service with its model, and nothing else: docker build --tag lacuna . (or docker compose up --build).
# Run `dvc repro` or `python -m lacuna unpack` before: models/bundle becomes part of the image.

# Python 3.11, the oldest version that the lock is made for, is the one that the tests run on. Debian 12 has security
# updates as long as Python 3.11 has. The tag follows both, so that a new build is a patched one.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY requirements-serve.txt ./
# pip stays here: the environment has no pip of its own. Only wheels, so no compiler is needed.
RUN python -m venv --without-pip /opt/venv \
    && python -m pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --require-hashes --only-binary :all: -r requirements-serve.txt

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="lacuna" \
      org.opencontainers.image.description="Image-attribute model behind HTTP" \
      org.opencontainers.image.licenses="Apache-2.0"
# Nothing is written while it runs but temporary files: --read-only --tmpfs /tmp works.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin lacuna
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY lacuna/ lacuna/
COPY models/bundle/ models/bundle/
USER 10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/health'); sys.exit(c.getresponse().status != 200)"]
CMD ["python", "-m", "lacuna", "serve", "--bundle", "models/bundle", "--host", "0.0.0.0", "--port", "8000"]
