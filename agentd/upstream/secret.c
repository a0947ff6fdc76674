#include "agentd/upstream/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"

/* One mapping of its own each: mlock(2) and madvise(2) know pages only. */
struct secret {
	size_t size;
	char text[SECRET_MAX + 1];
};

static void trim(const char **text, size_t *size)
{
	static const char blanks[] = " \t\r\n";

	while (*size > 0 && memchr(blanks, **text, sizeof(blanks) - 1)) {
		(*text)++;
		(*size)--;
	}
	while (*size > 0 && memchr(blanks, (*text)[*size - 1], sizeof(blanks) - 1))
		(*size)--;
}

static int check(const char *text, size_t size, struct error *err)
{
	if (size == 0)
		return error_set(err, EINVAL, "the key is empty");
	if (size > SECRET_MAX)
		return error_set(err, EINVAL, "the key has more than %d bytes", SECRET_MAX);
	for (size_t i = 0; i < size; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return error_set(err, EINVAL,
				"the key has a blank, a line end or another byte that no key has");
	return 0;
}

int secret_create(const char *text, size_t size, struct secret **ret_secret, struct error *err)
{
	struct secret *secret;
	int r;

	trim(&text, &size);
	r = check(text, size, err);
	if (r < 0)
		return r;
	secret = mmap(
		NULL, sizeof(*secret), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (secret == MAP_FAILED)
		return error_errno(err, "memory for a key");
	if (mlock(secret, sizeof(*secret)) < 0 ||
		madvise(secret, sizeof(*secret), MADV_DONTDUMP) < 0) {
		r = error_errno(err, "lock a key in memory (see LimitMEMLOCK=, ulimit -l)");
		secret_destroy(secret);
		return r;
	}
	memcpy(secret->text, text, size);
	secret->size = size;
	*ret_secret = secret;
	return 0;
}

void secret_destroy(struct secret *secret)
{
	if (!secret)
		return;
	explicit_bzero(secret, sizeof(*secret));
	munmap(secret, sizeof(*secret));
}

static int check_file(int fd, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, "stat");
	if (!S_ISREG(st.st_mode))
		return error_set(err, EINVAL, "not a regular file");
	if (st.st_mode & S_IRWXO)
		return error_set(err, EACCES, "others may open it: chmod o= it");
	return 0;
}

int secret_read(
	const char *directory, const char *name, struct secret **ret_secret, struct error *err)
{
	char path[4096], text[2 * SECRET_MAX]; /* with room for blanks */
	auto_close int fd = -1;
	ssize_t size;
	int r;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, name) >= sizeof(path))
		return error_set(err, ENAMETOOLONG, "%.80s...: the path is too long", directory);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO would wait for its writer */
	if (fd < 0)
		return error_errno(err, "%s", path);
	r = check_file(fd, err);
	if (r < 0)
		return error_prefix(err, r, "%s", path);
	size = fd_read_full(fd, text, sizeof(text));
	if (size < 0)
		r = error_set(err, (int)-size, "read: %s", strerror((int)-size));
	else
		r = secret_create(text, (size_t)size, ret_secret, err);
	explicit_bzero(text, sizeof(text));
	return r < 0 ? error_prefix(err, r, "%s", path) : 0;
}

int secret_format(const struct secret *secret, const char *prefix, char *buffer, size_t size)
{
	int n = snprintf(buffer, size, "%s%s", prefix, secret->text);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* Length of the longest piece of the secret with which text begins. */
static size_t piece_at(const struct secret *secret, const char *text)
{
	size_t longest = 0;

	for (size_t from = 0; from + longest < secret->size; from++) {
		size_t n = 0;

		while (secret->text[from + n] && secret->text[from + n] == text[n])
			n++;
		if (n > longest)
			longest = n;
	}
	return longest;
}

void secret_redact(const struct secret *secret, char *text)
{
	size_t least;

	if (!secret)
		return;
	least = secret->size < SECRET_PIECE ? secret->size : SECRET_PIECE;
	while (*text) {
		size_t n = piece_at(secret, text);

		if (n >= least) {
			memset(text, '*', n);
			text += n;
		} else {
			text++;
		}
	}
}
