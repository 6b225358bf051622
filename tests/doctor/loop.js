// SPDX-License-Identifier: GPL-2.0-only
// node loop.js SCENE VARIANT PORT: what keeps the loop of Node from its next turn. See talk.c.
"use strict";

const { execFileSync, spawn } = require("child_process");
const fs = require("fs");
const net = require("net");
const os = require("os");
const path = require("path");

const SLOW_MS = 300;
const RARE = 100;
const [scene, variant, port] = process.argv.slice(2);
let round = 0;

function faultNow() {
	round++;
	return variant === "fault" || (variant === "rare" && round % RARE === RARE / 2);
}

function tell(rule, evidence) {
	const who = { pid: process.pid, tid: process.pid, fd: null };
	fs.writeSync(1, JSON.stringify({ rule, scene, variant, ...who, evidence }) + "\n");
}

function serve(work) {
	const client = net.connect(port, "127.0.0.1");
	client.on("data", () => work(() => client.write("a")));
	client.on("close", () => process.exit(0));
	client.on("error", () => process.exit(0));
}

// A handler that computes; the twin does so in small pieces.
function busy() {
	tell("slow-turn", { turn_ms: [250, 500], on_cpu_ms: [50, 400] });
	serve((answer) => {
		const end = performance.now() + (faultNow() ? SLOW_MS : 2);
		while (performance.now() < end);
		answer();
	});
	serve((answer) => answer());	// another, who waits meanwhile
}

// A FIFO whose writer lets itself be waited for: read by the loop, or by a thread of the pool.
function fifo() {
	const name = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "iophase-fifo-")), "fifo");
	execFileSync("mkfifo", [name]);
	const writer = `while [ -p ${name} ]; do (sleep ${SLOW_MS / 1000}; echo x) >${name}; done`;
	spawn("timeout", ["60", "sh", "-c", writer], { stdio: "ignore" });
	process.on("exit", () => fs.rmSync(path.dirname(name), { recursive: true }));
	process.on("SIGTERM", () => process.exit(0));
	tell("blocking-in-loop", { blocked_ms: [250, 400] });
	serve((answer) => {
		if (variant === "healthy") {
			fs.readFile(name, answer);
			return;
		}
		if (faultNow())
			fs.readFileSync(name);
		answer();
	});
}

({ busy, fifo })[scene]();
