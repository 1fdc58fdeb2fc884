#!/bin/sh
# Rebuild control_plane/web/static/vendor/ from the pinned packages. The output is reproducible byte for byte.
set -eu
cd "$(dirname "$0")"
npm ci --silent
node build.mjs
