#include "proto/receipt.h"

json_t *receipt_limits(uint32_t limits)
{
	json_t *words = json_array();

	for (uint32_t i = 0; i < LIMIT_KINDS; i++)
		if (limits & 1u << i)
			json_array_append_new(words, json_string(limit_name(1u << i)));
	return words;
}

json_t *receipt_limit_texts(uint32_t limits, const struct limit_values *values)
{
	json_t *texts = json_object();
	char text[LIMIT_TEXT_MAX];

	for (uint32_t i = 0; i < LIMIT_KINDS; i++)
		if (limits & 1u << i)
			json_object_set_new(texts, limit_name(1u << i),
				json_string(limit_text(1u << i, values, text)));
	return texts;
}

json_t *receipt_of_reply(const struct guest_reply *reply)
{
	return json_pack("{s:f,s:f,s:f,s:I,s:I,s:I,s:I}", "wall_ms", (double)reply->wall_ns / 1e6,
		"user_ms", (double)reply->user_us / 1e3, "system_ms",
		(double)reply->system_us / 1e3, "max_rss_bytes", (json_int_t)reply->max_rss_bytes,
		"read_bytes", (json_int_t)reply->read_bytes, "write_bytes",
		(json_int_t)reply->write_bytes, "major_faults", (json_int_t)reply->major_faults);
}

json_t *receipt_of_lease(const struct control_receipt *receipt, const struct limit_values *values)
{
	const struct lease_usage *usage = &receipt->usage;

	return json_pack("{s:s,s:o,s:o,s:f,s:f,s:I,s:I,s:I,s:I,s:I}", "reason",
		control_reason_name(receipt->reason), "limits_hit",
		receipt_limits(receipt->limits_hit), "limits",
		receipt_limit_texts(receipt->limits_hit, values), "wall_ms",
		(double)receipt->wall_ns / 1e6, "cpu_ms", (double)usage->cpu_ns / 1e6,
		"memory_peak_bytes", (json_int_t)usage->memory_peak_bytes, "read_bytes",
		(json_int_t)usage->read_bytes, "write_bytes", (json_int_t)usage->write_bytes,
		"pids_peak", (json_int_t)usage->pids_peak, "oom_kills",
		(json_int_t)usage->oom_kills);
}

json_t *receipt_of_binding(const struct control_leased *lease)
{
	json_t *workspace = json_null();

	if (lease->workspace[0])
		workspace = json_pack("{s:s,s:I,s:b}", "id", lease->workspace, "limit_bytes",
			(json_int_t)lease->workspace_bytes, "is_soft", lease->is_soft != 0);
	return json_pack("{s:s,s:s,s:f,s:o}", "net", lease->net, "hostname", lease->hostname,
		"bind_us", (double)lease->bind_ns / 1e3, "workspace", workspace);
}
