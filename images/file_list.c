#include "images/file_list.h"

#include <errno.h>
#include <linux/limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "base/error.h"

#define XATTR_NAMES_SIZE ((size_t)16 * 1024)
#define PATH_SIZE	 512 /* of "/proc/self/fd/N/NAME" */

void file_list_write_escaped(FILE *to, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if (*p > 0x20 && *p < 0x7f && *p != '\\' && *p != ',')
			fputc(*p, to);
		else
			fprintf(to, "\\x%02x", *p);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int write_xattr(FILE *to, const char *path, const char *name, struct error *err)
{
	unsigned char value[XATTR_SIZE_MAX];
	ssize_t size = lgetxattr(path, name, value, sizeof(value));

	if (size < 0)
		return error_errno(err, "read attribute %s", name);
	file_list_write_escaped(to, name);
	fputc('=', to);
	for (ssize_t i = 0; i < size; i++)
		fprintf(to, "%02x", value[i]);
	return 0;
}

int file_list_write_xattrs(FILE *to, int dirfd, const char *name, struct error *err)
{
	char path[PATH_SIZE], list[XATTR_NAMES_SIZE], *names[FILE_LIST_XATTRS_MAX];
	size_t count = 0;
	ssize_t size;
	int r = 0;

	/* There is no llistxattrat(): the fd's magic link is followed, the last component is not. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
	size = llistxattr(path, list, sizeof(list));
	if (size < 0 && errno != ENOTSUP)
		return error_errno(err, "list attributes");
	for (ssize_t at = 0; at < size; at += (ssize_t)strlen(list + at) + 1) {
		if (count == ARRAY_SIZE(names))
			return error_set(err, E2BIG, "more than %zu attributes", count);
		names[count++] = list + at;
	}
	if (count == 0)
		fputc('-', to);
	else
		qsort(names, count, sizeof(names[0]), compare_names);
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (i > 0)
			fputc(',', to);
		r = write_xattr(to, path, names[i], err);
	}
	return r;
}

enum field { TYPE, MODE, UID, GID, SIZE, DATA, XATTRS, PATH, FIELDS };

/* A line taken apart: each field with its length. */
struct line {
	const char *fields[FIELDS];
	int lengths[FIELDS];
	const char *next;
};

/* False at the end of the list or where it is not one. */
static bool line_parse(const char *list, struct line *line)
{
	for (unsigned i = 0; i < FIELDS; i++) {
		size_t length = strcspn(list, " \n");

		if (length == 0 || list[length] != (i == PATH ? '\n' : ' '))
			return false;
		line->fields[i] = list;
		line->lengths[i] = (int)length;
		list += length + 1;
	}
	line->next = list;
	return true;
}

static bool field_is_equal(const struct line *a, const struct line *b, enum field field)
{
	return a->lengths[field] == b->lengths[field] &&
	       memcmp(a->fields[field], b->fields[field], (size_t)a->lengths[field]) == 0;
}

/* The next byte of an escaped path as the walk ordered it: the end before "/" before all others. */
static int path_byte(const char **at)
{
	char hex[3] = {0};
	int byte = (unsigned char)**at;

	if (byte == ' ' || byte == '\n' || byte == '\0')
		return -1;
	(*at)++;
	if (byte != '\\' || (*at)[0] != 'x' || !(*at)[1] || !(*at)[2])
		return byte == '/' ? 0 : byte;
	memcpy(hex, *at + 1, 2);
	*at += 3;
	return (int)strtol(hex, NULL, 16);
}

/* Negative when a stands before b in a list. */
static int compare_paths(const struct line *a, const struct line *b)
{
	const char *p = a->fields[PATH], *q = b->fields[PATH];
	int c, d;

	do {
		c = path_byte(&p);
		d = path_byte(&q);
	} while (c == d && c != -1);
	return c - d;
}

static int explain_entry(const struct line *was, const struct line *is, struct error *err)
{
	static const char *const names[FIELDS] = {[TYPE] = "type",
		[MODE] = "mode",
		[UID] = "owner",
		[GID] = "group",
		[SIZE] = "size"};
	int length = was->lengths[PATH];
	const char *path = was->fields[PATH];

	for (enum field f = TYPE; f <= SIZE; f++)
		if (!field_is_equal(was, is, f))
			return error_set(err, EBADMSG, "%.*s: %s is %.*s and was %.*s", length,
				path, names[f], is->lengths[f], is->fields[f], was->lengths[f],
				was->fields[f]);
	if (field_is_equal(was, is, DATA))
		return error_set(err, EBADMSG, "%.*s: extended attributes differ", length, path);
	if (was->fields[TYPE][0] == 'l')
		return error_set(err, EBADMSG, "%.*s: points to %.*s and pointed to %.*s", length,
			path, is->lengths[DATA], is->fields[DATA], was->lengths[DATA],
			was->fields[DATA]);
	if (was->fields[TYPE][0] == 'c' || was->fields[TYPE][0] == 'b')
		return error_set(err, EBADMSG, "%.*s: device is %.*s and was %.*s", length, path,
			is->lengths[DATA], is->fields[DATA], was->lengths[DATA], was->fields[DATA]);
	return error_set(err, EBADMSG, "%.*s: contents differ", length, path);
}

int file_list_explain(const char *was, const char *is, struct error *err)
{
	struct line old, new;
	bool has_old, has_new;
	int order;

	for (;;) {
		has_old = line_parse(was, &old);
		has_new = line_parse(is, &new);
		if (!has_old && !has_new)
			return error_set(
				err, EBADMSG, "differs, but its list of files does not say where");
		order = !has_old ? 1 : !has_new ? -1 : compare_paths(&old, &new);
		if (order > 0)
			return error_set(
				err, EBADMSG, "%.*s: added", new.lengths[PATH], new.fields[PATH]);
		if (order < 0)
			return error_set(
				err, EBADMSG, "%.*s: removed", old.lengths[PATH], old.fields[PATH]);
		if ((size_t)(old.next - was) != (size_t)(new.next - is) ||
			memcmp(was, is, (size_t)(old.next - was)) != 0)
			return explain_entry(&old, &new, err);
		was = old.next;
		is = new.next;
	}
}
