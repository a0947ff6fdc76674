#include "images/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "images/file_list.h"
#include "images/tree.h"

#define READ_SIZE    ((size_t)256 * 1024)
#define PATH_SIZE    4096
#define HEX_SIZE     (2 * 32 + 1) /* of a SHA-256 */
#define REPORT_BYTES (UINT64_C(4) << 20)

struct walk {
	FILE *list;
	EVP_MD_CTX *hash;
	unsigned char *buffer; /* READ_SIZE */
	char path[PATH_SIZE];  /* from the root, without a slash before it */
	struct digest_tree tree;
	const struct image_progress *progress;
	uint64_t expected_bytes, reported_bytes;
};

static void format_hex(const unsigned char *bytes, size_t size, char *to)
{
	for (size_t i = 0; i < size; i++)
		sprintf(to + 2 * i, "%02x", bytes[i]);
}

static int hash_end(EVP_MD_CTX *hash, char hex[static HEX_SIZE], struct error *err)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned size;

	if (!EVP_DigestFinal_ex(hash, sum, &size) || size != 32)
		return error_set(err, EIO, "SHA-256 failed");
	format_hex(sum, size, hex);
	return 0;
}

static void report(struct walk *w)
{
	uint64_t permille;

	if (!w->progress || w->tree.bytes < w->reported_bytes + REPORT_BYTES)
		return;
	w->reported_bytes = w->tree.bytes;
	permille = w->expected_bytes ? w->tree.bytes * 1000 / w->expected_bytes : 0;
	w->progress->report(w->progress->arg,
		w->expected_bytes ? (int)(permille < 1000 ? permille : 1000) : -1, "hashing files");
}

/* Contents of a regular file. The fd stays the caller's. */
static int hash_file(struct walk *w, int fd, char hex[static HEX_SIZE], struct error *err)
{
	ssize_t n;

	if (!EVP_DigestInit_ex(w->hash, EVP_sha256(), NULL))
		return error_set(err, EIO, "SHA-256 failed");
	while ((n = read(fd, w->buffer, READ_SIZE)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "read");
		EVP_DigestUpdate(w->hash, w->buffer, (size_t)n);
		w->tree.bytes += (uint64_t)n;
		report(w);
	}
	return hash_end(w->hash, hex, err);
}

static char type_letter(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return 'f';
	case S_IFDIR:
		return 'd';
	case S_IFLNK:
		return 'l';
	case S_IFCHR:
		return 'c';
	case S_IFBLK:
		return 'b';
	case S_IFIFO:
		return 'p';
	default:
		return 's';
	}
}

/* SIZE and DATA of one entry. */
static int write_data(
	struct walk *w, int dirfd, const char *name, const struct stat *st, struct error *err)
{
	auto_close int fd = -1;
	char hex[HEX_SIZE], target[PATH_SIZE];
	ssize_t n;
	int r;

	if (S_ISREG(st->st_mode)) {
		fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			return error_errno(err, "open");
		r = hash_file(w, fd, hex, err);
		if (r < 0)
			return r;
		fprintf(w->list, "%" PRIu64 " %s ", (uint64_t)st->st_size, hex);
	} else if (S_ISLNK(st->st_mode)) {
		n = readlinkat(dirfd, name, target, sizeof(target) - 1);
		if (n < 0)
			return error_errno(err, "read link");
		target[n] = '\0';
		fputs("- ", w->list);
		file_list_write_escaped(w->list, target);
		fputc(' ', w->list);
	} else if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		fprintf(w->list, "- %u:%u ", major(st->st_rdev), minor(st->st_rdev));
	} else {
		fputs("- - ", w->list);
	}
	return 0;
}

/* The line of dirfd/name, whose path from the root is w->path. */
static int write_entry(
	struct walk *w, int dirfd, const char *name, struct stat *ret_st, struct error *err)
{
	int r;

	if (fstatat(dirfd, name, ret_st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, "stat");
	fprintf(w->list, "%c %04o %u %u ", type_letter(ret_st->st_mode),
		(unsigned)ret_st->st_mode & 07777U, ret_st->st_uid, ret_st->st_gid);
	r = write_data(w, dirfd, name, ret_st, err);
	if (r < 0)
		return r;
	r = file_list_write_xattrs(w->list, dirfd, name, err);
	if (r < 0)
		return r;
	fputc(' ', w->list);
	file_list_write_escaped(w->list, w->path[0] ? w->path : "/");
	fputc('\n', w->list);
	w->tree.entries++;
	return 0;
}

static int walk_directory(struct walk *w, int dirfd, unsigned depth, struct error *err);

static int walk_child(
	struct walk *w, int dirfd, const char *name, unsigned depth, struct error *err)
{
	auto_close int fd = -1;
	struct stat st;
	int r = write_entry(w, dirfd, name, &st, err);

	if (r < 0 || !S_ISDIR(st.st_mode))
		return r;
	if (depth == TREE_DEPTH_MAX)
		return error_set(err, ELOOP, "deeper than %d directories", TREE_DEPTH_MAX);
	fd = tree_open(dirfd, name, err);
	return fd < 0 ? fd : walk_directory(w, fd, depth + 1, err);
}

static int walk_directory(struct walk *w, int dirfd, unsigned depth, struct error *err)
{
	size_t length = strlen(w->path);
	struct tree_names names;
	int r = tree_names_read(dirfd, &names, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		size_t left = sizeof(w->path) - length;
		int n = snprintf(w->path + length, left, "/%s", names.names[i]);

		if (n >= (int)left)
			r = error_set(err, ENAMETOOLONG, "path too long");
		else
			r = walk_child(w, dirfd, names.names[i], depth, err);
		if (r == 0)
			w->path[length] = '\0'; /* on failure it names the place */
	}
	tree_names_finish(&names);
	return r;
}

int digest_of_bytes(
	const void *data, size_t size, char ret_digest[static IMAGE_DIGEST_MAX], struct error *err)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned sum_size;

	if (!EVP_Digest(data, size, sum, &sum_size, EVP_sha256(), NULL))
		return error_set(err, EIO, "SHA-256 failed");
	strcpy(ret_digest, "sha256:");
	format_hex(sum, sum_size, ret_digest + strlen(ret_digest));
	return 0;
}

static int walk_root(struct walk *w, int root_fd, struct error *err)
{
	struct stat st;
	int r;

	if (!w->list || !w->hash || !w->buffer)
		return error_set(err, ENOMEM, "out of memory");
	r = write_entry(w, root_fd, ".", &st, err);
	if (r == 0)
		r = walk_directory(w, root_fd, 0, err);
	if (r < 0)
		return error_prefix(err, r, "%s", w->path[0] ? w->path : "/");
	if (fflush(w->list) != 0 || ferror(w->list))
		return error_set(err, ENOMEM, "out of memory");
	return digest_of_bytes(w->tree.list, w->tree.list_size, w->tree.digest, err);
}

int digest_compute(int root_fd, uint64_t expected_bytes, const struct image_progress *progress,
	struct digest_tree *ret_tree, struct error *err)
{
	struct walk w = {.progress = progress, .expected_bytes = expected_bytes};
	int r;

	w.list = open_memstream(&w.tree.list, &w.tree.list_size);
	w.hash = EVP_MD_CTX_new();
	w.buffer = malloc(READ_SIZE);
	r = walk_root(&w, root_fd, err);
	free(w.buffer);
	EVP_MD_CTX_free(w.hash);
	if (w.list)
		fclose(w.list);
	if (r < 0) {
		digest_finish(&w.tree);
		return r;
	}
	*ret_tree = w.tree;
	return 0;
}

void digest_finish(struct digest_tree *tree)
{
	free(tree->list);
	*tree = (struct digest_tree){.list = NULL};
}
