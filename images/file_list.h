/*
 * file_list.h - a tree in canonical form: one line an entry, depth first, names sorted by bytes.
 *
 *   TYPE MODE UID GID SIZE DATA XATTRS PATH
 *
 * TYPE is f d l c b p or s; DATA the SHA-256 of a file's contents, a link's target or a device's
 * major:minor; XATTRS are NAME=HEX, sorted, joined by commas (file capabilities are there); "-"
 * stands for nothing. In names every byte outside 0x21..0x7e, the backslash and the comma are
 * written \xHH. Times and the count of hard links are no part of it. digest.c writes the lines.
 */
#ifndef IMAGES_FILE_LIST_H
#define IMAGES_FILE_LIST_H
#include <stdio.h>

#define FILE_LIST_XATTRS_MAX 128 /* attributes of one entry */

struct error;

void file_list_write_escaped(FILE *to, const char *text);

/* The XATTRS field of dirfd/name, which is not followed. */
int file_list_write_xattrs(FILE *to, int dirfd, const char *name, struct error *err);

/* Name the first path by which two different lists differ, and how. Always -EBADMSG. */
int file_list_explain(const char *was, const char *is, struct error *err);
#endif
