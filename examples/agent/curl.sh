#!/bin/sh
# Talk to an agent of Hearth with curl: a turn that streams, the same session again, what has been said in it.
#
#     curl.sh [AGENT]         HEARTH_API_URL (http://127.0.0.1:3890/v1), HEARTH_API_KEY
set -eu

url=${HEARTH_API_URL:-http://127.0.0.1:3890/v1}
agent=${1:-coder}
head=$(mktemp)
trap 'rm -f "$head"' EXIT

ask() {
	curl --silent --show-error --fail-with-body "$@" -H 'Content-Type: application/json' \
		-H "Authorization: Bearer ${HEARTH_API_KEY:-none}"
}

# -N: a frame is shown when it comes. The session's id is a header of the answer, and in its last frame.
ask -N -D "$head" "$url/chat/completions" \
	-d "{\"model\": \"$agent\", \"stream\": true, \"messages\": [{\"role\": \"user\", \"content\": \"run: uname -a\"}]}"
session=$(tr -d '\r' <"$head" | sed -n 's/^x-session-id: //p')
echo "# session $session"

# The next day: its id and a new message. It has the same agent, files and directory, and knows what was said.
ask "$url/chat/completions" -H "x-session-id: $session" \
	-d '{"messages": [{"role": "user", "content": "run: pwd"}]}'

ask "$url/chat/sessions/$session/messages"
