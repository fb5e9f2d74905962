#!/usr/bin/env bash
# The import directions of this project: what is not named here must not be imported.
# Test files of a package may import what the package may, and also testify, testdata and authtest.
set -euo pipefail
cd "$(dirname "$0")/.."

module=github.com/bearergate/bearergate
jwt=github.com/golang-jwt/jwt/v5
oauth2=golang.org/x/oauth2
pgx=github.com/jackc/pgx/v5
internal="$module/internal/fetch $module/internal/jws $module/internal/sharedfile $module/internal/strictjson $module/internal/weburl"
testify='github.com/stretchr/testify/assert github.com/stretchr/testify/require'

# folder -> what its non-test files may import besides the standard library
declare -A may=(
  [testdata]=''
  [internal/fetch]="$module/internal/weburl"
  [internal/sharedfile]='github.com/gofrs/flock'
  [internal/strictjson]="$module/internal/weburl"
  [internal/jws]="$module/internal/strictjson $module/internal/weburl"
  [internal/weburl]=''
  [jwks]="$jwt github.com/MicahParks/keyfunc/v3 github.com/MicahParks/jwkset filippo.io/edwards25519
    golang.org/x/crypto/cryptobyte golang.org/x/crypto/cryptobyte/asn1 $internal"
  [middleware]="$jwt $module/jwks $module/middleware/internal/hits $internal"
  [middleware/internal/hits]=''
  [middleware/authclient]="$oauth2 $internal"
  [middleware/authtest]="$jwt $module/jwks $module/middleware"
  [middleware/revocation]="$module/middleware $internal"
  [authserver]="$jwt $module/jwks $module/middleware golang.org/x/crypto/argon2 golang.org/x/crypto/bcrypt $internal"
  [authserver/authservertest]="$jwt $module/jwks $module/middleware $module/authserver $internal"
  [authserver/storetest]="$module/authserver $module/jwks"
  [authserver/boltstore]="go.etcd.io/bbolt go.etcd.io/bbolt/errors $module/authserver $module/jwks"
  [authserver/pgstore]="$pgx $pgx/pgconn $pgx/pgxpool $module/authserver $module/jwks"
  [authserver/redisstore]="github.com/redis/go-redis/v9 $module/authserver $module/jwks"
)
# what test files may import on top
declare -A tests=(
  [middleware]="$module/middleware/authtest"
  [middleware/revocation]="$module/middleware/authtest"
  [authserver]="$module/authserver/storetest $module/middleware/authclient $module/middleware/authtest $oauth2"
  [authserver/boltstore]="$module/authserver/storetest"
  [authserver/pgstore]="$module/authserver/storetest"
  [authserver/redisstore]="$module/authserver/storetest"
)

bad=0
check() { # folder kind allowed imports...
  local folder=$1 kind=$2 allowed=" ${3//$'\n'/ } "; shift 3
  local import
  for import in "$@"; do
    case $import in
      "$module/$folder" | C) continue ;;
      *.*/*) ;;                       # a first element with a dot is not the standard library
      *) continue ;;
    esac
    if [[ $allowed != *" $import "* ]]; then
      echo "imports.sh: $folder ($kind) may not import $import" >&2
      bad=1
    fi
  done
}

packages() { # folder of a module
  local list folder code test
  list=$(cd "$1" && go list -f '{{.ImportPath}}|{{join .Imports " "}}|{{join .TestImports " "}} {{join .XTestImports " "}}' ./...)
  while IFS='|' read -r folder code test; do
    folder=${folder#"$module"}; folder=${folder#/}
    case $folder in
      # Examples, comparisons and tests with other libraries may import everything; no package may import them.
      examples | examples/* | */peerbench | */peerbench/* | */interop) continue ;;
    esac
    if [[ -z ${may[$folder]+known} ]]; then
      echo "imports.sh: $folder is a new package: say in .ci/imports.sh what it may import" >&2
      bad=1
      continue
    fi
    # shellcheck disable=SC2086 # import paths hold no spaces
    check "$folder" code "${may[$folder]}" $code
    # shellcheck disable=SC2086
    check "$folder" tests "${may[$folder]} ${tests[$folder]-} $testify $module/testdata" $test
  done <<<"$list"
}

for file in $(git ls-files go.mod '*/go.mod'); do
  packages "$(dirname "$file")"
done

allowed='^(internal|middleware|jwks|authserver|examples|testdata|go\.mod|go\.sum|README\.md|LICENSE|SECURITY\.md|CONTRIBUTING\.md|CHANGELOG\.md|\.golangci\.yml|\.ci|\.github|\.gitignore|\.gitattributes)$'
while read -r entry; do
  echo "imports.sh: $entry does not belong at the top level" >&2
  bad=1
done < <(git ls-files | cut -d/ -f1 | sort -u | grep -Ev "$allowed" || true)

exit $bad
