# psistats in a container that reports on its host. Built in one image and run in a smaller one, as a user of its own.
#
#   docker build -t psistats .
#   docker run --read-only --tmpfs /run/psistats:uid=9764,gid=9764,mode=0755 \
#     --pid host --network host --uts host \
#     -v /proc:/host/proc:ro -v /sys:/host/sys:ro -v /:/host/root:ro,rslave \
#     -e PSISTATS_URL=amqp://user:password@broker/ psistats
#
# compose.yaml starts it together with a RabbitMQ.

FROM swift:6.2-bookworm AS build
WORKDIR /source
RUN apt-get update \
    && apt-get install -y --no-install-recommends libssl-dev libsensors-dev pkg-config python3 \
    && rm -rf /var/lib/apt/lists/*
# The dependencies first: they change less often than the sources.
COPY Package.swift ./
COPY Sources ./Sources
COPY packaging ./packaging
COPY Scripts ./Scripts
COPY psistats.conf ./
RUN Scripts/stage /stage /usr

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends libssl3 libsensors5 ca-certificates tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 9764 psistats \
    && useradd --system --uid 9764 --gid 9764 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin psistats
COPY --from=build /stage/usr/bin/psistats /usr/bin/psistats
COPY --from=build /stage/usr/libexec/psistats /usr/libexec/psistats
COPY --from=build /source/psistats.conf /etc/psistats.conf
# root: what stands before every mount point of the host, whose tree is mounted there.
ENV HOST_PROC=/host/proc \
    HOST_SYS=/host/sys \
    HOST_ETC=/host/root/etc \
    HOST_ROOT=/host/root \
    RUNTIME_DIRECTORY=/run/psistats \
    SWIFT_BACKTRACE=enable=yes,color=no,interactive=no,swift-backtrace=/usr/libexec/psistats/swift-backtrace
USER 9764:9764
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["psistats", "status"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["psistats"]
CMD ["start", "--foreground"]
