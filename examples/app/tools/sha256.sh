# sha256.sh FILE: the checksum of a file, as `sha256sum` prints it, with whatever this machine has.
set -eu
if command -v sha256sum > /dev/null; then
    sha256sum "$1"
elif command -v shasum > /dev/null; then
    shasum -a 256 "$1"
else
    openssl dgst -sha256 -r "$1" | sed 's/ \*/  /'
fi
