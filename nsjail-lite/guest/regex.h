/*
 * regex.h - GREP's patterns: POSIX extended regular expressions with what people write besides.
 *
 * \w \d \s and their opposites, \b, \t, \xHH, (?:..), lazy repetitions, a brace that repeats nothing: put
 * into what regcomp() takes, in a UTF-8 locale. Matching is in linear time (there are no
 * back-references). Pure.
 */
#ifndef NSJAIL_LITE_GUEST_REGEX_H
#define NSJAIL_LITE_GUEST_REGEX_H
#include <stddef.h>

#define REGEX_PATTERN_MAX 4096u

/* The ERE, terminated, into to. 0, or -EINVAL and *ret_why, a constant. */
int regex_translate(const char *pattern, char *to, size_t size, const char **ret_why);
#endif
