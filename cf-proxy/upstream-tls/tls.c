/*
 * tls.c - the tls.h of cf-upstream-tls, by OpenSSL.
 *
 * On the other side is the proxy, and whoever is on the way to it.  Its certificate has to be
 * good for the name or the address that the user wrote, always; and it has to be signed by
 * somebody that the system trusts, or by --proxy-ca and nobody else.  With --proxy-insecure it may
 * be signed by anybody, and be of any age: the name still counts.
 *
 * What is trusted is read before the seal; OpenSSL opens nothing after it.  Of the system's list, where
 * there is no other: roots.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "roots.h"

struct tls {
	SSL		*ssl;
	BIO		*in, *out;	/* the session's */
	const struct hop *hop;
};

const char tls_program[] = "cf-upstream-tls";
const struct sandbox_row tls_rows[] = {
	ALLOW(getpid, "OpenSSL looks if it has been forked"),
	{ 0 }
};

static SSL_CTX	*context;

static void
ca_load(const struct hops *l)
{
	X509_STORE *store = SSL_CTX_get_cert_store(context);
	BIO *bio = BIO_new_mem_buf(l->ca, (int)l->ca_len);
	X509 *cert;
	int n = 0;

	while (bio != NULL && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		if (X509_STORE_add_cert(store, cert) != 1)
			fatalx("a certificate of --proxy-ca cannot be used");
		X509_free(cert);
		n++;
	}
	BIO_free(bio);
	if (n == 0)
		fatalx("there is no certificate in the file of --proxy-ca (PEM is wanted: -----BEGIN "
		    "CERTIFICATE-----)");
	/* It may be the proxy's own, not its issuer's. */
	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
}

/* --proxy-insecure: all is forgiven but another's name. */
static int
forgive(int ok, X509_STORE_CTX *ctx)
{
	int err = X509_STORE_CTX_get_error(ctx);

	return ok || (err != X509_V_ERR_HOSTNAME_MISMATCH && err != X509_V_ERR_IP_ADDRESS_MISMATCH);
}

void
tls_open(const struct hops *l)
{
	if (!hops_tls(l))
		return;
	tzset();		/* for the ages of certificates: it reads a file, once */
	if ((context = SSL_CTX_new(TLS_client_method())) == NULL ||
	    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1)
		fatalx("cannot start TLS: %s", ERR_reason_error_string(ERR_peek_last_error()));
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	if (l->insecure)
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER, forgive);
	else
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	if (l->ca != NULL)
		ca_load(l);
	else if (!l->insecure)
		roots_open(SSL_CTX_get_cert_store(context));
}

static bool
identity_set(SSL *ssl, const struct hop *h)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	if (h->name[0] == '\0')
		return X509_VERIFY_PARAM_set1_ip(param, h->addr.ip, addr_iplen(&h->addr)) == 1;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, h->name, 0) == 1 &&
	    SSL_set_tlsext_host_name(ssl, h->name) == 1;
}

struct tls *
tls_new(const struct hop *h)
{
	struct tls *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->hop = h;
	t->ssl = SSL_new(context);
	t->in = BIO_new(BIO_s_mem());
	t->out = BIO_new(BIO_s_mem());
	if (t->ssl == NULL || t->in == NULL || t->out == NULL || !identity_set(t->ssl, h)) {
		BIO_free(t->in);
		BIO_free(t->out);
		SSL_free(t->ssl);
		free(t);
		return NULL;
	}
	BIO_set_mem_eof_return(t->in, -1);
	SSL_set_bio(t->ssl, t->in, t->out);	/* they are the session's now */
	SSL_set_connect_state(t->ssl);
	return t;
}

void
tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	SSL_free(t->ssl);
	free(t);
}

bool
tls_feed(struct tls *t, const void *p, size_t len)
{
	return len == 0 || BIO_write(t->in, p, (int)len) == (int)len;
}

size_t
tls_out(struct tls *t, void *p, size_t len)
{
	int n = BIO_pending(t->out) > 0 ? BIO_read(t->out, p, (int)len) : 0;

	return n > 0 ? (size_t)n : 0;
}

static void
failed(const struct tls *t, char why[TLS_WHY_LEN])
{
	long verdict = SSL_get_verify_result(t->ssl);
	unsigned long err = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(err);

	if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH)
		snprintf(why, TLS_WHY_LEN, "its certificate is for another name");
	else if (verdict != X509_V_OK)
		snprintf(why, TLS_WHY_LEN, "its certificate is not trusted: %s (see --proxy-ca)",
		    X509_verify_cert_error_string(verdict));
	else if (ERR_GET_REASON(err) == SSL_R_WRONG_VERSION_NUMBER)
		snprintf(why, TLS_WHY_LEN, "it does not speak TLS (perhaps it is http://)");
	else
		snprintf(why, TLS_WHY_LEN, "%s", reason != NULL ? reason : "it broke off");
}

/* Once more, by hand: whatever a callback forgave, the name is the one that was asked for. */
static bool
identity_holds(const struct tls *t)
{
	X509 *cert = SSL_get1_peer_certificate(t->ssl);
	const struct hop *h = t->hop;
	int ok = 0;

	if (cert != NULL)
		ok = h->name[0] == '\0' ?
		    X509_check_ip(cert, h->addr.ip, addr_iplen(&h->addr), 0) :
		    X509_check_host(cert, h->name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL);
	X509_free(cert);
	return ok == 1;
}

int
tls_handshake(struct tls *t, char why[TLS_WHY_LEN])
{
	int rc;

	ERR_clear_error();
	if ((rc = SSL_do_handshake(t->ssl)) == 1) {
		if (identity_holds(t))
			return 1;
		snprintf(why, TLS_WHY_LEN, "its certificate is for another name");
		return -1;
	}
	if (SSL_get_error(t->ssl, rc) == SSL_ERROR_WANT_READ)
		return 0;
	failed(t, why);
	return -1;
}

long
tls_read(struct tls *t, void *p, size_t len)
{
	int n;

	ERR_clear_error();
	if ((n = SSL_read(t->ssl, p, (int)len)) > 0)
		return n;
	switch (SSL_get_error(t->ssl, n)) {
	case SSL_ERROR_WANT_READ:	return -1;
	case SSL_ERROR_ZERO_RETURN:	return 0;
	default:			return -2;
	}
}

bool
tls_write(struct tls *t, const void *p, size_t len)
{
	ERR_clear_error();
	return len == 0 || SSL_write(t->ssl, p, (int)len) == (int)len;
}

void
tls_end(struct tls *t)
{
	ERR_clear_error();
	(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
}
