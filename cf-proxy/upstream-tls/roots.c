/*
 * roots.c - see roots.h.
 *
 * The list of a distribution has some 140 certificates, of which a run needs one or two; to have
 * OpenSSL make all of them, with their keys, takes longer than all else that a run begins with.  So
 * what is read before the seal is their bytes, and of each only the name is made.  When a chain is
 * verified OpenSSL asks for an issuer by its name (X509_LOOKUP_meth_new(3)), and has the certificate
 * made then, for good.
 *
 * What must stay true: whether a certificate is good is OpenSSL's to say, as of one that it has read
 * itself; here it is only found.  One that cannot be read is as if it were not in the list.
 *
 * SPDX-License-Identifier: MIT
 */
#include "roots.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define ROOTS_MAX	2048

struct root {
	X509_NAME	*subject;
	unsigned char	*der;
	long		 len;
	bool		 made;		/* and in the store */
};

static struct root	roots[ROOTS_MAX];
static size_t		n_roots;

/* Where distributions have what the system trusts, in one file. */
static const char *const bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",		/* Debian, Arch, Alpine */
	"/etc/pki/tls/certs/ca-bundle.crt",		/* Fedora */
	"/etc/ssl/ca-bundle.pem",			/* openSUSE */
	"/etc/ssl/cert.pem",
};

/* ---- reading ---- */

/*
 * The name of whom a certificate is for (RFC 5280 4.1): in the outer sequence and the first in it come
 * version, number, algorithm, issuer and validity before it.  NULL: this is no certificate.
 */
static X509_NAME *
subject_of(const unsigned char *p, long len)
{
	const unsigned char *end = p + len;
	long n;
	int tag, class;

	for (int depth = 0; depth < 2; depth++) {
		if ((ASN1_get_object(&p, &n, &tag, &class, end - p) & 0x80) != 0 ||
		    tag != V_ASN1_SEQUENCE)
			return NULL;
		end = p + n;
	}
	for (int before = 0; before < 5; before++) {
		if ((ASN1_get_object(&p, &n, &tag, &class, end - p) & 0x80) != 0)
			return NULL;
		if (before == 0 && class != V_ASN1_CONTEXT_SPECIFIC)
			before++;		/* version 1 is not written */
		p += n;
	}
	return d2i_X509_NAME(NULL, &p, end - p);
}

static size_t
file_read(const char *file)
{
	BIO *bio = BIO_new_file(file, "r");
	char *name, *header;
	unsigned char *der;
	struct root *r;
	size_t before = n_roots;
	long len;

	while (bio != NULL && n_roots < ROOTS_MAX && PEM_read_bio(bio, &name, &header, &der, &len) == 1) {
		r = &roots[n_roots];
		*r = (struct root){ .der = der, .len = len };
		if (strcmp(name, PEM_STRING_X509) == 0 || strcmp(name, PEM_STRING_X509_OLD) == 0)
			r->subject = subject_of(der, len);
		OPENSSL_free(name);
		OPENSSL_free(header);
		if (r->subject != NULL)
			n_roots++;
		else
			OPENSSL_free(der);
	}
	BIO_free(bio);
	ERR_clear_error();
	return n_roots - before;
}

/* ---- being asked ---- */

static void
make(X509_STORE *store, struct root *r)
{
	const unsigned char *p = r->der;
	X509 *cert = d2i_X509(NULL, &p, r->len);

	r->made = true;
	if (cert != NULL)
		(void)X509_STORE_add_cert(store, cert);
	X509_free(cert);
	OPENSSL_free(r->der);
	r->der = NULL;
}

/* All of this name are in the store then; OpenSSL has one of them, and looks at the others there. */
static int
by_subject(X509_LOOKUP *lookup, X509_LOOKUP_TYPE type, const X509_NAME *name, X509_OBJECT *out)
{
	X509_STORE *store = X509_LOOKUP_get_store(lookup);
	X509_OBJECT *found;
	bool any = false;
	int ok = 0;

	if (type != X509_LU_X509)
		return 0;
	for (size_t i = 0; i < n_roots; i++)
		if (X509_NAME_cmp(roots[i].subject, name) == 0) {
			any = true;
			if (!roots[i].made)
				make(store, &roots[i]);
		}
	if (!any)
		return 0;
	X509_STORE_lock(store);
	found = X509_OBJECT_retrieve_by_subject(X509_STORE_get0_objects(store), type, name);
	if (found != NULL)
		ok = X509_OBJECT_set1_X509(out, X509_OBJECT_get0_X509(found));
	X509_STORE_unlock(store);
	if (ok == 1)
		X509_free(X509_OBJECT_get0_X509(out));	/* the store has it; OpenSSL takes its own */
	return ok;
}

void
roots_open(X509_STORE *store)
{
	X509_LOOKUP_METHOD *method = X509_LOOKUP_meth_new("the system's list");
	size_t n = file_read(X509_get_default_cert_file());

	for (size_t i = 0; n == 0 && i < sizeof(bundles) / sizeof(bundles[0]); i++)
		n = file_read(bundles[i]);
	if (n == 0)
		fatalx("there is no list of certificates that this system trusts (install "
		    "ca-certificates, or give the proxy's own with --proxy-ca)");
	if (method == NULL || X509_LOOKUP_meth_set_get_by_subject(method, by_subject) != 1 ||
	    X509_STORE_add_lookup(store, method) == NULL)
		fatalx("cannot start TLS: out of memory");
}
