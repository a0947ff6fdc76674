/*
 * folder.h - files below a folder that somebody else writes: no way out of it, nothing that blocks, never too much.
 *
 * Side: agentd. Names are taken by openat2 (RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS), so that neither a link nor ".."
 * leads anywhere. What is no regular file is refused before a byte is read, and opened so that a FIFO does not wait.
 * Errors say why and not what: the caller knows the name.
 */
#ifndef AGENTD_PROJECT_FOLDER_H
#define AGENTD_PROJECT_FOLDER_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

struct error;

#define FOLDER_ENTRIES_MAX 1024 /* names in one directory, hidden ones too */

/* May it name an agent or a skill, and so a file? 1..PROJECT_NAME_MAX bytes of UTF-8: no / \ or control character, not
 * beginning with . or - and no blank at either end. */
bool folder_is_name(const char *name);

/* The fd of a directory below dirfd, or -errno. */
int folder_open(int dirfd, const char *path, struct error *err);

/* Likewise .hearth or, where that is absent, .polpo. *ret_name is a constant. -ENOENT: there is neither. */
int folder_open_base(int dirfd, const char **ret_name, struct error *err);

/*
 * A whole regular file of at most max bytes, terminated, into *ret_data, the caller's to free. Returns its length, or
 * -errno: -ENOENT, -ELOOP (a link is in the way), -ENOTDIR, -EFBIG, -EINVAL (no regular file).
 */
ssize_t folder_read(int dirfd, const char *path, size_t max, char **ret_data, struct stat *ret_st,
	struct error *err);

/* As folder_read(), without reading. */
ssize_t folder_look(
	int dirfd, const char *path, size_t max, struct stat *ret_st, struct error *err);

/* As folder_read(), for text: a byte order mark is cut, -EILSEQ: not UTF-8 or a NUL, with the line. */
ssize_t folder_read_text(int dirfd, const char *path, size_t max, char **ret_text,
	struct stat *ret_st, struct error *err);

struct folder_entry {
	char name[256];
	unsigned char type; /* DT_REG ...; DT_UNKNOWN where the file system does not say */
};

/* The names in a directory, sorted, without hidden ones, into *ret_entries, the caller's to free. A count, or -errno:
 * -E2BIG, more than FOLDER_ENTRIES_MAX. */
ssize_t folder_list(int dirfd, struct folder_entry **ret_entries, struct error *err);

/* Create or replace a file atomically; one that is there keeps its mode. A link there is replaced, not followed. */
int folder_replace(int dirfd, const char *name, const char *text, struct error *err);

/* The fd of a directory below dirfd, which is made where it is absent. */
int folder_make(int dirfd, const char *name, struct error *err);

/* Is it this process or machine that lacks something, whatever stands in the folder? */
bool folder_is_own_error(int r);
#endif
