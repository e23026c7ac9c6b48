#!/bin/sh
# The server says hello, and the page asks for it.
[ "$(sh server/answer.sh /hello)" = hello ] && grep -q 'fetch("/hello")' web/index.html
