#!/bin/sh
# Makes the certificates of the tests of `client-certificate`, with OpenSSL as a user would. They
# prove nothing to anybody but the tests. The password of those that have one is `p4ssw0rd`.
set -eu
cd "$(dirname "$0")"
openssl req -x509 -newkey rsa:2048 -nodes -days 36500 -subj /CN=flowbind-test -keyout key.tmp -out cert.tmp
openssl req -x509 -newkey rsa:2048 -nodes -days 36500 -subj /CN=other -keyout other.tmp -out chain.tmp
cat key.tmp cert.tmp chain.tmp > pkcs8.pem
openssl rsa -in key.tmp -traditional -out pkcs1.tmp
cat cert.tmp pkcs1.tmp > pkcs1.pem
openssl pkcs8 -topk8 -in key.tmp -out encrypted.tmp -passout pass:p4ssw0rd
cat encrypted.tmp cert.tmp > encrypted.pem
openssl rsa -in key.tmp -aes256 -traditional -out outdated.tmp -passout pass:p4ssw0rd
cat outdated.tmp cert.tmp > outdated.pem
openssl pkcs12 -export -inkey key.tmp -in cert.tmp -certfile chain.tmp -out aes.pfx -passout pass:p4ssw0rd
openssl pkcs12 -export -inkey key.tmp -in cert.tmp -out 3des.pfx -passout pass:p4ssw0rd \
  -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1
openssl pkcs12 -export -inkey key.tmp -in cert.tmp -out no-password.pfx -passout pass:
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj /CN=ec -keyout ec.tmp -out eccert.tmp
cat ec.tmp eccert.tmp > elliptic.pem
cat cert.tmp > no-key.pem
cat key.tmp > no-certificate.pem
# What the tests check signatures and thumbprints with.
openssl x509 -in cert.tmp -outform DER -out certificate.der
openssl rsa -in key.tmp -RSAPublicKey_out -outform DER -out public.der
rm -f ./*.tmp
