// Talk to an agent of Hearth with OpenAI's package: npm install openai, then as chat.ts.
//
//     node chat_openai.ts [--agent NAME] [--session ID] MESSAGE...
//
// The address and the key change, and the agent's name is the model. What Hearth says beside OpenAI's members
// (sessionId, tool_call) comes through the package as it is, only its types do not know it.
import { parseArgs } from "node:util";
import OpenAI from "openai";

interface Beside {
	tool_call?: { name: string; state: string };
	error?: { message: string };
}

const client = new OpenAI({
	baseURL: process.env.HEARTH_API_URL ?? "http://127.0.0.1:3890/v1",
	apiKey: process.env.HEARTH_API_KEY ?? "none",
	timeout: 24 * 60 * 60 * 1000, // an agent may work for hours: the default of 10 minutes would end the call
});
const { values, positionals } = parseArgs({
	options: { agent: { type: "string", default: "coder" }, session: { type: "string" } },
	allowPositionals: true,
});

try {
	const { data: stream, response } = await client.chat.completions
		.create(
			{
				model: values.agent,
				stream: true,
				messages: [{ role: "user", content: positionals.join(" ") }],
			},
			// A conversation that goes on is named by a header, or by the member sessionId of the body.
			{ headers: values.session ? { "x-session-id": values.session } : {} },
		)
		.withResponse();
	for await (const chunk of stream) {
		for (const choice of chunk.choices) {
			const { tool_call: call, error } = choice as Beside;
			process.stdout.write(choice.delta.content ?? "");
			if (call) console.error(`> ${call.name}: ${call.state}`);
			if (error) throw new Error(error.message);
		}
	}
	console.log();
	console.error(`session ${response.headers.get("x-session-id")}`);
} catch (error) {
	console.error((error as Error).message);
	process.exitCode = 1;
}
