# entitled in a container: built with Rust's official image, run on a base without a shell, as nobody in particular.
#
#   docker build -t entitled .
#   docker run --rm entitled demo --once
#   docker run -d --name entitled -p 127.0.0.1:8420:8420 -v entitled:/var/lib/entitled \
#     -v "$PWD/entitled.toml:/etc/entitled/entitled.toml:ro" -e DEPLOYCENTER_TOKEN -e ENTITLED_LOGIN_KEY entitled

FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
RUN cargo build --release --locked --bin entitled \
 && install -D -m 0755 target/release/entitled /out/entitled \
 && mkdir /out/state

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/entitled /usr/local/bin/entitled
# The built-in defaults, for those who mount no configuration of their own over it.
COPY config/default.toml /etc/entitled/entitled.toml
# Paths in the configuration are relative to this folder: sqlite://entitled.db lies in the volume.
COPY --from=build --chown=65532:65532 /out/state /var/lib/entitled
WORKDIR /var/lib/entitled
VOLUME ["/var/lib/entitled"]

# Variables win over the file, so only what a container needs is set here.
ENV ENTITLED_HTTP__LISTEN=0.0.0.0:8420 \
    ENTITLED_LOG__FORMAT=json
EXPOSE 8420
USER 65532:65532
STOPSIGNAL SIGTERM

# Asks /readyz of the configured address; there is no shell to run anything else.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/entitled", "healthcheck", "--config", "/etc/entitled/entitled.toml"]

ENTRYPOINT ["/usr/local/bin/entitled"]
CMD ["serve", "--config", "/etc/entitled/entitled.toml"]
