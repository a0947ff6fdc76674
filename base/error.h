/*
 * error.h - why something failed, as a value: a code for programs and a sentence for people.
 *
 * Functions return 0 (or a count) or a negative errno and explain themselves in a caller-owned
 * struct error, always the last parameter, which may be NULL. No heap: it works when memory is out.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#define ERROR_TEXT_MAX 256

struct error {
	int code;		   /* positive errno */
	char text[ERROR_TEXT_MAX]; /* always terminated; cut at the end when too long */
};

/* Set code and text. Returns -code. */
int error_set(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* As error_set() with the current errno, whose description is appended: "TEXT: No such file". */
int error_errno(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Put "PREFIX: " before the text, on the way up. Returns r, so that it can stand in a return. */
int error_prefix(struct error *err, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Name of an errno as in errno.h ("ENOENT"), or "E?" when unknown. Never NULL. */
const char *error_name(int code);
#endif
