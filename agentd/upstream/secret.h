/*
 * secret.h - a key in memory that is neither swapped out nor part of a core dump, wiped at its end.
 *
 * Side: agentd. What leaves here is a header on its way to libcurl; no log line and no error may hold a secret,
 * so what a server says passes secret_redact() first.
 */
#ifndef AGENTD_UPSTREAM_SECRET_H
#define AGENTD_UPSTREAM_SECRET_H
#include <stddef.h>

struct error;
struct secret;

#define SECRET_MAX   1024 /* bytes of a key */
#define SECRET_PIECE 8	  /* so much of a key in a text is struck out */

/*
 * Copy a key; blanks and line ends around it are none of it. -EINVAL: it has none or too many bytes, or such
 * as cannot stand in a header. -ENOMEM, -EAGAIN, -EPERM: memory cannot be locked.
 */
int secret_create(const char *text, size_t size, struct secret **ret_secret, struct error *err);
/* Accepts NULL. */
void secret_destroy(struct secret *secret);

/*
 * The key in the file name below a directory. -ENOENT: there is no such file. -EACCES: others may read it, or we
 * may not. -EINVAL: no regular file, or as secret_create().
 */
int secret_read(
	const char *directory, const char *name, struct secret **ret_secret, struct error *err);

/* "PREFIXkey", to be wiped (explicit_bzero) by the caller. 0 or -ENAMETOOLONG. */
int secret_format(const struct secret *secret, const char *prefix, char *buffer, size_t size);

/* Each piece of the secret in text, of SECRET_PIECE bytes or more, becomes asterisks. NULL: no secret, nothing. */
void secret_redact(const struct secret *secret, char *text);
#endif
