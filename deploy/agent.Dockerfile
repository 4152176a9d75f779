# The agent as an image: built on Debian 12, run on its slim image by an ordinary user.
#   docker build -f deploy/agent.Dockerfile -t sluice .
FROM debian:12-slim AS build
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        gcc libc6-dev cmake ninja-build pkg-config \
        libevent-dev librdkafka-dev libnghttp2-dev libssl-dev libyaml-dev libyajl-dev libcurl4-openssl-dev \
        libprotobuf-c-dev protobuf-c-compiler protobuf-compiler libzstd-dev zlib1g-dev libssl-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cmake --preset release -DBUILD_TESTING=OFF \
    && cmake --build build/release --target sluice \
    && install -D -s build/release/agent/sluice /out/usr/bin/sluice

FROM debian:12-slim
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates libevent-core-2.1-7 libevent-extra-2.1-7 librdkafka1 libnghttp2-14 libssl3 \
        libyaml-0-2 libyajl2 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 sluice \
    && useradd --uid 10001 --gid sluice --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin sluice \
    && install -d -o sluice -g sluice -m 0770 /run/sluice \
    && install -d -m 0755 /etc/sluice
COPY --from=build /out/ /
# A library that is missing here is a failed build, not a container that ends at start.
RUN ["/usr/bin/sluice", "version"]
USER 10001:10001
VOLUME /run/sluice
# An app in another container needs group 10001, the group of the socket (settings socket.mode, socket.group).
ENTRYPOINT ["/usr/bin/sluice"]
CMD ["run"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=2s --start-period=5s --retries=3 CMD ["/usr/bin/sluice", "health"]
