#!/usr/bin/env bash
# Builds functions with `sam build` and runs each with its event by `sam local invoke`:
#
#     tests/sam-local-invoke.sh OpenApiFunction HealthFunction
#     tests/sam-local-invoke.sh HealthFunction RedisUrl=redis://172.17.0.1:6379
#
# An argument with a `=` is a parameter of template.yaml, for example an endpoint that a container
# can reach. Needs `sam` and `cargo-lambda` on PATH (.ci/requirements.txt), and either a Docker that
# runs and can pull, or, as root and without a network, Debian's packages docker.io and
# busybox-static: then an engine of its own is started, with a base image made from this machine.
#
# That image has the layout of provided.al2023, not its content: what is checked is the template and
# the packaging, not Amazon Linux.
set -euo pipefail
cd "$(dirname "$0")/.."

export SAM_CLI_TELEMETRY=0
image=public.ecr.aws/lambda/provided:al2023-x86_64
functions=()
parameters=(Architecture=x86_64)
for argument in "$@"; do
    case $argument in
        *=*) parameters+=("$argument") ;;
        *) functions+=("$argument") ;;
    esac
done
if ((${#functions[@]} == 0)); then
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi

work=$(mktemp -d)
engine=
bridge=
# The function's container and the engine end with us; others' are left alone.
clean_up() {
    if [[ -n $engine ]]; then
        kill "$engine" 2>/dev/null && wait "$engine" || true
        if [[ $bridge == ours ]]; then
            ip link delete docker0 2>/dev/null || true
        fi
    fi
    rm -rf "$work"
}
trap clean_up EXIT

need() {
    if ! command -v "$1" >/dev/null; then
        echo "$1 is missing: $2" >&2
        exit 1
    fi
}

start_engine() {
    need dockerd "apt-get install --no-install-recommends docker.io"
    export DOCKER_HOST=unix://$work/docker.sock
    # dockerd leaves its bridge behind.
    if [[ ! -e /sys/class/net/docker0 ]]; then
        bridge=ours
    fi
    # No packet filter and no routing: ports are published by Docker's own proxy, which is all that
    # SAM needs, and works inside a container too.
    dockerd --storage-driver=vfs --iptables=false --ip-masq=false --ip-forward=false \
        --data-root "$work/data" --exec-root "$work/exec" --pidfile "$work/dockerd.pid" \
        --host "$DOCKER_HOST" >"$work/dockerd.log" 2>&1 &
    engine=$!
    for ((waited = 0; waited < 60; waited++)); do
        if docker info >/dev/null 2>&1; then
            return
        fi
        kill -0 "$engine" 2>/dev/null || break
        sleep 1
    done
    tail -n 20 "$work/dockerd.log" >&2
    echo "dockerd did not start" >&2
    exit 1
}

# A shell for SAM's own build of the image, the libraries a function is linked to, and the folders
# that Lambda promises.
make_image() {
    need busybox "apt-get install busybox-static"
    local root=$work/root library
    mkdir -p "$root"/{bin,usr/bin,lib64,etc/ssl/certs,tmp,opt,var/task,var/runtime,var/rapid}
    chmod 1777 "$root/tmp"
    cp "$(command -v busybox)" "$root/bin/busybox"
    for applet in sh mv chmod mkdir ls cat; do
        ln -s busybox "$root/bin/$applet"
    done
    for library in ld-linux-x86-64.so.2 libc.so.6 libm.so.6 libgcc_s.so.1 libpthread.so.0 \
        libdl.so.2 librt.so.1 libresolv.so.2 libnss_dns.so.2 libnss_files.so.2; do
        cp --dereference "/lib/x86_64-linux-gnu/$library" "$root/lib64/"
    done
    if [[ -e /etc/ssl/certs/ca-certificates.crt ]]; then
        cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    fi
    tar -C "$root" -c . | docker import \
        --change 'WORKDIR /var/task' \
        --change 'ENV LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime PATH=/usr/bin:/bin LD_LIBRARY_PATH=/lib64:/var/task:/opt/lib' \
        - "$image" >/dev/null
}

need sam "pip install -r .ci/requirements.txt"
need cargo-lambda "pip install -r .ci/requirements.txt"
need docker "apt-get install --no-install-recommends docker.io"

for function in "${functions[@]}"; do
    sam build "$function" --parameter-overrides "${parameters[@]}" --build-dir "$work/build/$function"
done

pull=()
if ! docker info >/dev/null 2>&1; then
    start_engine
    make_image
    pull=(--skip-pull-image)
fi

for function in "${functions[@]}"; do
    event=events/$(sed -n "/^  $function:\$/,/Binary:/s/.*Binary: //p" template.yaml).json
    printf '\n=== %s < %s\n' "$function" "$event"
    # Credentials that sign, and are good for nothing.
    AWS_ACCESS_KEY_ID=OPERATOR AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION=eu-west-1 \
        sam local invoke "$function" --event "$event" --template "$work/build/$function/template.yaml" \
        "${pull[@]}" --parameter-overrides "${parameters[@]}" >"$work/answer"
    cat "$work/answer"
    echo
    # An answer of any status is an answer; a function that broke says errorType instead.
    if ! grep -q . "$work/answer" || grep -q '"errorType"' "$work/answer"; then
        echo "$function did not answer" >&2
        exit 1
    fi
done
