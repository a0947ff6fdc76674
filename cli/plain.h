/*
 * plain.h - text of models, tools and files on the caller's terminal: it is shown, and steers nothing.
 *
 * Of foreign text only \n and \t come through; other control characters (C0, DEL, C1), what turns the direction of
 * writing, and bytes that are no UTF-8 become '?'.
 */
#ifndef CLI_PLAIN_H
#define CLI_PLAIN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* All of it. */
void plain_print(FILE *to, const char *text, size_t size);

/* In place. */
void plain_clean(char *text);

/*
 * In one line, at most max characters of it: \n, \t and blanks in a row become one blank, "..." stands for what is cut.
 */
void plain_print_line(FILE *to, const char *text, size_t max);

/* Whether a stream is shown in colours: a terminal that can, and no NO_COLOR. */
bool plain_has_colour(FILE *to);
#endif
