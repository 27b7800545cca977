# The daemon. Built from the hash lock alone; the final image has no compiler, no pip and no root.
#
#     docker build -t deliverability-monitor .
#     docker run -p 127.0.0.1:9825:9825 deliverability-monitor run --domain example.com
#
# A configuration mounted at /etc/deliverability/config.yaml is found without an argument. The root file
# system may be read-only; state goes to /state.
ARG BASE_IMAGE=python:3.13-slim-trixie

FROM ${BASE_IMAGE} AS build
WORKDIR /build
RUN python3 -m venv /opt/deliverability
COPY requirements.txt ./
RUN /opt/deliverability/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt
COPY pyproject.toml README.md ./
COPY monitor monitor
COPY checks checks
# The project is built with the setuptools of the lock, and needs neither it nor pip afterwards.
RUN /opt/deliverability/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation . \
    && /opt/deliverability/bin/pip uninstall --yes setuptools pip

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="deliverability-monitor" \
      org.opencontainers.image.description="Watches an organisation's e-mail deliverability and pages when reputation drops"
# /state is open like /tmp: a tmpfs mounted there inherits its mode but not its owner, and any --user works.
RUN groupadd --gid 9825 deliverability \
    && useradd --uid 9825 --gid 9825 --no-create-home --home-dir /state --shell /usr/sbin/nologin deliverability \
    && install --directory --owner=9825 --group=9825 --mode=1777 /state
COPY --from=build /opt/deliverability /opt/deliverability
# Inside a container the way in is the published port, so it listens on every address of its own.
ENV PATH=/opt/deliverability/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DELIVERABILITY_CONFIG=/etc/deliverability/config.yaml \
    DELIVERABILITY_SERVER__LISTEN=0.0.0.0:9825
USER 9825:9825
WORKDIR /state
VOLUME /state
EXPOSE 9825
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["deliverability", "healthcheck"]
ENTRYPOINT ["deliverability"]
CMD ["run"]
