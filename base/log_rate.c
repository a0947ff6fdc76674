#include "base/log_rate.h"

bool log_rate_admits(
	struct log_rate *rate, uint64_t source, uint64_t now_ms, uint32_t *ret_suppressed)
{
	uint64_t i = source % LOG_RATE_SOURCES;
	uint64_t second = now_ms / 1000;

	if (rate->of[i].second != second) {
		rate->of[i].second = second;
		rate->of[i].lines = 0;
	}
	if (rate->of[i].lines == LOG_RATE_LINES) {
		rate->of[i].suppressed++;
		return false;
	}
	rate->of[i].lines++;
	*ret_suppressed = rate->of[i].suppressed;
	rate->of[i].suppressed = 0;
	return true;
}
