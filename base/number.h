/*
 * number.h - numbers that people write: whole, sizes and durations. Strict: no sign, no blanks,
 * nothing after the number but its unit.
 */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H
#include <stdint.h>

/* Decimal, min..max. 0, -EINVAL (not a number) or -ERANGE. */
int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);

/* Bytes with an optional K, M, G or T (powers of 1024): "256M". As number_parse(). */
int number_parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *ret_bytes);

/* Milliseconds; "250ms", "30s", "5m", "2h"; a bare number is seconds and may have a fraction. */
int number_parse_duration_ms(const char *text, uint64_t min, uint64_t max, uint64_t *ret_ms);

/* CPUs with up to three decimals, as thousandths: "1.5" is 1500. */
int number_parse_milli(const char *text, uint64_t min, uint64_t max, uint64_t *ret_milli);

/* Shortest exact form: 268435456 is "256M", 1000 is "1000". buffer of at least 24 bytes. */
const char *number_format_size(uint64_t bytes, char buffer[static 24]);
#endif
