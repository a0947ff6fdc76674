// Talk to an agent of Hearth from Node (22.18 or newer runs this as it is), with nothing but fetch.
//
//     node chat.ts [--agent NAME] [--session ID] MESSAGE...
//
//     HEARTH_API_URL (http://127.0.0.1:3890/v1), HEARTH_API_KEY
//
// Text goes to the output as the agent says it; its tools and, at the end, the session's id to stderr.
// With --session a conversation goes on, also days later.
import { parseArgs } from "node:util";

const url = process.env.HEARTH_API_URL ?? "http://127.0.0.1:3890/v1";
const key = process.env.HEARTH_API_KEY ?? "none";

interface ToolCall {
	name: string;
	state: "preparing" | "calling" | "completed" | "error";
	arguments?: unknown;
	result?: string;
}

interface Choice {
	delta: { role?: string; content?: string };
	finish_reason: string | null;
	tool_call?: ToolCall; // what the server does: nothing that we should run
	error?: { message: string };
}

interface Frame {
	choices: Choice[];
	sessionId?: string;
}

/** Server-sent events: the data of each, as JSON, until [DONE]. A line that begins with a colon is a comment. */
async function* readFrames(body: ReadableStream<Uint8Array>): AsyncGenerator<Frame> {
	let rest = "";
	let data: string[] = [];
	for await (const piece of body.pipeThrough(new TextDecoderStream())) {
		const lines = (rest + piece).split("\n");
		rest = lines.pop() ?? "";
		for (const line of lines.map((line) => line.replace(/\r$/, ""))) {
			if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
			if (line !== "" || data.length === 0) continue;
			const text = data.join("\n");
			data = [];
			if (text === "[DONE]") return;
			yield JSON.parse(text);
		}
	}
	throw new Error("the stream broke off: the run goes on, its session tells how it ended");
}

function showTool(call: ToolCall): void {
	if (call.state === "calling") console.error(`> ${call.name} ${JSON.stringify(call.arguments)}`);
	else if (call.state !== "preparing") console.error(`  ${call.state}: ${call.result?.split("\n")[0]}`);
}

function show(frame: Frame): void {
	for (const choice of frame.choices) {
		process.stdout.write(choice.delta.content ?? "");
		if (choice.tool_call) showTool(choice.tool_call);
		if (choice.error) throw new Error(choice.error.message);
	}
}

/** One turn. Returns the session's id, with which the next one goes on. */
async function chat(message: string, agent: string, session?: string): Promise<string | null> {
	const response = await fetch(`${url}/chat/completions`, {
		method: "POST",
		headers: { "Content-Type": "application/json", Authorization: `Bearer ${key}` },
		body: JSON.stringify({
			model: agent,
			sessionId: session,
			stream: true,
			messages: [{ role: "user", content: message }],
		}),
	});
	if (!response.ok || !response.body) {
		const { error } = await response.json();
		throw new Error(`${response.status} ${error.code}: ${error.message}`);
	}
	for await (const frame of readFrames(response.body)) show(frame);
	process.stdout.write("\n");
	return response.headers.get("x-session-id");
}

const { values, positionals } = parseArgs({
	options: { agent: { type: "string", default: "coder" }, session: { type: "string" } },
	allowPositionals: true,
});
try {
	const session = await chat(positionals.join(" "), values.agent, values.session);
	console.error(`session ${session}`);
} catch (error) {
	console.error((error as Error).message);
	process.exitCode = 1;
}
