#!/bin/sh
# Rebuilds control_plane/static/vendor/ from the pinned packages. Running it twice gives the same bytes.
set -eu
cd "$(dirname "$0")"
npm ci --silent
node build.mjs
