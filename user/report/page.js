"use strict";
/*
 * Draws the page from the documents in it. Each figure is given as a formula over them: "loops.rows.0.calls",
 * "sum(by_call.rows.*.wall_ns)", "q(PATH, 0.99)" of a histogram, and "A / B", "A - B" of such. The element
 * keeps its formula, so that what is shown can be checked against the documents. Names are always put in
 * as text.
 */
const data = JSON.parse(document.getElementById("data").textContent);
const DASH = "-";

function at(path) {
	return path.split(".").reduce((value, key) => value === null || value === undefined ? undefined : value[key],
				      data);
}

function sum(path) {
	const [list, rest] = path.split(".*.");
	return at(list).reduce((total, _, i) => total + (at(`${list}.${i}.${rest}`) ?? 0), 0);
}

/* Upper edge, ns, of the bucket that holds quantile q of a histogram; those of time 0 are in bucket null. */
function quantile(path, q) {
	const buckets = at(path) ?? [];
	const rank = Math.ceil(q * buckets.reduce((total, [, count]) => total + count, 0));
	let seen = 0;
	for (const [bucket, count] of buckets) {
		seen += count;
		if (seen >= rank)
			return bucket === null ? 0 : 2 ** (bucket / 8) * 1e9;
	}
	return null;
}

function term(text) {
	const call = /^(sum|q)\((.*?)(?:, ([0-9.]+))?\)$/.exec(text);
	if (!call)
		return at(text) ?? null;
	return call[1] === "sum" ? sum(call[2]) : quantile(call[2], Number(call[3]));
}

/* From the left to the right; null if a part is not known, or there is nothing to divide by. */
function evaluate(formula) {
	const words = formula.split(/ ([-+/]) /);
	return words.slice(1).reduce((value, word, i) => {
		if (i % 2 || value === null)
			return value;
		const other = term(words[i + 2]);
		if (other === null || (word === "/" && !other))
			return null;
		return word === "/" ? value / other : word === "-" ? value - other : value + other;
	}, term(words[0]));
}

function scaled(value, units) {
	let i = 0;
	while (i + 1 < units.length && value >= 0.9995 * units[i + 1][0])
		i++;
	const v = value / units[i][0];
	return v.toFixed(units[i][0] === 1 || v >= 99.95 ? 0 : v >= 9.995 ? 1 : 2) + units[i][1];
}

const NS = [[1, "ns"], [1e3, "us"], [1e6, "ms"], [1e9, "s"], [3600e9, "h"], [86400e9, "d"]];
const COUNTS = [[1, ""], [1e3, "k"], [1e6, "M"], [1e9, "G"], [1e12, "T"]];
const BYTES = [[1, "B"], [1024, "K"], [1048576, "M"], [1073741824, "G"], [1099511627776, "T"]];
const formats = {
	ns: value => scaled(value, NS),
	count: value => value >= 9999.5 ? scaled(value, COUNTS) : value.toFixed(0),
	bytes: value => scaled(value, BYTES),
	percent: value => `${(value * 100).toFixed(value < 0.0995 ? 1 : 0)}%`,
	ratio: value => value >= 999.5 ? scaled(value, COUNTS) : value.toFixed(value < 99.95 ? 1 : 0),
	ms: value => scaled(value * 1e6, NS),
	plain: value => Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3))),
	id: value => String(value),
};

const SVG = new Set(["svg", "rect", "text", "g", "title"]);

function make(tag, attributes, ...children) {
	const element = SVG.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) :
			document.createElement(tag);
	for (const [name, value] of Object.entries(attributes ?? {}))
		element.setAttribute(name, value);
	element.append(...children.flat());
	return element;
}

/* A figure, with the mark of a bound before it. */
function figure(format, formula, mark = "") {
	const value = evaluate(formula);
	return make("span", { "data-formula": formula, "data-format": format },
		    value === null ? DASH : mark + formats[format](value));
}

function text(format, formula) {
	return figure(format, formula).textContent;
}

const TIER_MARKS = { upper_bound: "<", lower_bound: ">", bound: "~", exact: "" };

function bounded(format, path, row, tier) {
	return figure(format, path, TIER_MARKS[(at(row).tiers ?? {})[tier]] ?? "");
}

/* Columns: [head, cell of (path of the row, row), classes]; of all rows, or those that are wanted. */
function table(caption, rows, columns, more = "", wanted = () => true) {
	const head = columns.map(([name, , classes]) => make("th", { scope: "col", role: "columnheader",
								     class: classes ?? "" }, name));
	const body = at(rows).flatMap((row, i) => !wanted(row) ? [] : make("tr", { role: "row" }, columns.map(([name, cell, classes]) =>
		make("td", { role: "cell", "data-label": name, class: classes ?? "" },
		     classes === "bars" ? cell(`${rows}.${i}`, row) :
		     make("span", {}, ...[cell(`${rows}.${i}`, row)].flat())))));
	const made = make("table", { class: "stack", role: "table" }, make("caption", {}, caption + more),
			  make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, head)),
			  make("tbody", { role: "rowgroup" }, body));
	return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, made);
}

const who = (path, row) => [row.comm || "?", " ", row.tgid === null ? DASH : figure("id", `${path}.tgid`)];

function hidden_rows(name) {
	const left = data[name].all_rows - data[name].rows.length;
	return left > 0 ? `; and ${left} more, which took less time` : "";
}

/* Parts of a whole side by side; the figures stand beside it. */
function bar(whole, parts) {
	const all = evaluate(whole);
	const svg = make("svg", { class: "bar", viewBox: "0 0 100 6", preserveAspectRatio: "none", role: "img" });
	const words = [];
	let x = 0;
	svg.append(make("rect", { class: "ground", width: 100, height: 6 }));
	for (const [name, formula] of parts) {
		const share = all ? Math.max(0, evaluate(formula) ?? 0) / all : 0;
		svg.append(make("rect", { class: name, x: x, width: share * 100, height: 6 }));
		words.push(`${name} ${formats.percent(share)}`);
		x += share * 100;
	}
	svg.setAttribute("aria-label", words.join(", "));
	return svg;
}

const phases = path => bar(`${path}.wall_ns`, ["blocked", "runnable", "kernel", "copy"].map(
	name => [name, `${path}.${name}_ns`]));

const phase_columns = [
	["calls", path => figure("count", `${path}.calls`)],
	["wall", path => figure("ns", `${path}.wall_ns`)],
	["phases", path => phases(path), "bars"],
	["blocked", path => figure("ns", `${path}.blocked_ns`)],
	["runnable", path => figure("ns", `${path}.runnable_ns`)],
	["kernel", path => bounded("ns", `${path}.kernel_ns`, path, "kernel")],
	["copy", path => bounded("ns", `${path}.copy_ns`, path, "copy")],
];

/* Sections */

function put(id, ...children) {
	document.getElementById(id).append(...children.flat());
}

function paragraph(...children) {
	return make("p", {}, ...children);
}

function draw_head() {
	const end = new Date(data.doctor.time * 1000);
	document.title = `iophase: ${data.arguments.slice(1).join(" ") || "the machine"}`;
	put("what", make("code", {}, data.arguments.join(" ")), ", ended ", end.toISOString().slice(0, 19), " UTC, Linux ",
	    data.doctor.kernel);
	if (data.doctor.incomplete) {
		put("incomplete", `INCOMPLETE: ${data.doctor.incomplete}`);
		document.getElementById("incomplete").hidden = false;
	}
	for (const head of document.querySelectorAll("h2"))
		put("sections", make("a", { href: `#${head.id}` }, head.textContent));
}

function draw_summary() {
	const all = name => `sum(by_call.rows.*.${name})`;
	const findings = data.doctor.findings;
	put("summary", paragraph("For ", figure("ns", "doctor.duration_ns"), " ", figure("count", "doctor.watched.processes"),
		" processes were watched, with ", figure("count", "doctor.watched.loops"), " event loops, ",
		figure("count", "doctor.watched.descriptors"), " descriptors and ", figure("count", "doctor.watched.calls"),
		" calls that ended in this time."));
	if (data.by_call.rows.length)
		put("summary", paragraph("Of ", figure("ns", all("wall_ns")), " inside these calls, threads were blocked (waiting for data) for ",
			figure("percent", `${all("blocked_ns")} / ${all("wall_ns")}`), ", ready but without a CPU for ",
			figure("percent", `${all("runnable_ns")} / ${all("wall_ns")}`), ", and in the kernel for ",
			figure("percent", `${all("kernel_ns")} / ${all("wall_ns")}`), "; copying took ",
			figure("percent", `${all("copy_ns")} / ${all("wall_ns")}`), " that is known of."));
	const loops = data.loops.rows.map((row, i) => [row.loop.utilisation, i]).sort((a, b) => b[0] - a[0]);
	if (loops.length) {
		const path = `loops.rows.${loops[0][1]}`, row = at(path);
		put("summary", paragraph("The busiest loop is ", row.loop.by, " ", figure("id", row.loop.epfd === undefined ?
			`${path}.loop.tid` : `${path}.loop.epfd`), " of ", who(path, row), ": ",
			figure("percent", `${path}.loop.utilisation`), " of the time; one of a hundred of its turns takes over ",
			figure("ns", `q(${path}.loop.turns.hist, 0.99)`), "."));
	}
	put("summary", paragraph(findings.length ? make("a", { href: "#findings-head" },
		figure("count", "doctor.findings.length"), " finding", findings.length === 1 ? "" : "s") :
		"Nothing was found that is wrong", "."));
	for (const [name, count] of Object.entries(data.doctor.lost)) {
		if (count)
			put("summary", make("p", { class: "warning" }, "LOST: ", figure("count", `doctor.lost.${name}`), " ",
				data.loss_texts[name] ?? "events dropped by the kernel (recursion)"));
	}
}

function evidence(path, name, value) {
	const format = name.endsWith("_ns") ? "ns" : name.endsWith("_bytes") ? "bytes" :
		       name.endsWith("_share") ? "percent" : "plain";
	return [`${name}=`, typeof value === "string" ? value : figure(format, `${path}.evidence.${name}`)];
}

function finding_card(finding, i) {
	const path = `doctor.findings.${i}`;
	const rows = make("dl");
	const add = (name, ...what) => rows.append(make("dt", {}, name), make("dd", {}, ...what.flat()));
	add("evidence", Object.entries(finding.evidence).flatMap(([name, value], j) =>
		[j ? ", " : "", ...evidence(path, name, value)]));
	if (finding.cost.cpu_ms_per_s !== null)
		add("cost", figure("plain", `${path}.cost.cpu_ms_per_s`), " ms of CPU time in each second");
	if (finding.cost.stall_ms !== null)
		add("cost", figure("ms", `${path}.cost.stall_ms`), " of waiting, in all");
	if (finding.stack.length)
		add("where", make("ol", { class: "where" }, finding.stack.map(line => make("li", {}, line))));
	if (finding.advice)
		add("change", finding.advice);
	if (finding.disproof)
		add("not so if", finding.disproof);
	if (finding.confidence !== "high")
		add("confidence", finding.confidence);
	if (finding.similar)
		add("others", figure("count", `${path}.similar`), " more like it in this process are not shown");
	return make("article", { class: `card ${finding.severity}` },
		make("h3", {}, make("span", { class: "severity" }, finding.severity), `: ${finding.rule}: ${finding.comm}, pid `,
		     figure("id", `${path}.tgid`), finding.fd === null ? "" : [", descriptor ", figure("id", `${path}.fd`)],
		     finding.object ? `, ${finding.object}` : ""),
		paragraph(finding.verdict), rows);
}

function draw_findings() {
	put("findings", data.doctor.findings.map(finding_card));
	if (!data.doctor.findings.length)
		put("findings", paragraph("Nothing, as far as the rules go."));
	for (const { rule, why } of data.doctor.not_judged)
		put("findings", make("p", { class: "dim" }, `Not judged: ${rule}: ${why}`));
}

function draw_phases() {
	for (const [name, words] of [["blocked", "blocked: waiting for data"], ["runnable", "runnable: ready, without a CPU"],
				     ["kernel", "kernel: on the CPU, scanning or else"], ["copy", "copy: moving bytes"]])
		put("legend", make("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" },
				   make("rect", { class: name, width: 10, height: 10 })), words);
	put("processes", table("Processes, all their calls", "processes.rows", [["process", who, "left name"], ...phase_columns],
			       hidden_rows("processes")));
	put("processes", make("details", {}, make("summary", {}, "Each call of each process"),
		table("Calls", "calls.rows", [["process", who, "left name"], ["call", (_, row) => row.call, "left"],
			...phase_columns, ["p50", path => figure("ns", `q(${path}.hist.wall, 0.5)`)],
			["p99", path => figure("ns", `q(${path}.hist.wall, 0.99)`)]], hidden_rows("calls"))));
}

const WHAT = {
	wall: "how long it takes", turn: "how long its turns take", reported: "from ready to reported",
	served: "from reported to served",
};

/* Counts by octave: [octave, count], from 2^octave s on; null: no time at all. */
function octaves(cell) {
	const counts = new Map();
	for (const [bucket, count] of cell) {
		const octave = bucket === null ? null : Math.floor((bucket - 1) / 8);
		counts.set(octave, (counts.get(octave) ?? 0) + count);
	}
	return counts;
}

function heat_rows(series) {
	const seen = series.cells.flatMap(([, cell]) => [...octaves(cell).keys()]).filter(octave => octave !== null);
	if (!seen.length)
		return [0, 0];
	return [Math.min(...seen), Math.max(...seen)];
}

/* Time goes to the right, latency up; the darker a field, the more there were, by powers of two. */
function heat_map(series) {
	const columns = data.latency.columns.length, [low, high] = heat_rows(series);
	const left = 56, width = 900, cell_height = 14, rows = high - low + 2, height = rows * cell_height;
	const most = Math.max(...series.cells.flatMap(([, cell]) => [...octaves(cell).values()]));
	const svg = make("svg", { class: "heat", viewBox: `0 0 ${left + width} ${height + 20}`, role: "img",
		"aria-label": `${series.comm} ${series.tgid}, ${series.of}, ${WHAT[series.what]}: the table below has the figures` });
	svg.append(make("rect", { class: "ground", x: left, width: width, height: height }));
	for (const [column, cell] of series.cells) {
		for (const [octave, count] of octaves(cell)) {
			const row = octave === null ? rows - 1 : high - octave;
			const shade = Math.max(1, Math.ceil(8 * Math.log2(count + 1) / Math.log2(most + 1)));
			svg.append(make("rect", { class: `h${shade}`, x: left + column * width / columns, y: row * cell_height,
				width: Math.max(1, width / columns - .5), height: cell_height - .5 }));
		}
	}
	for (let octave = low; octave <= high; octave++) {
		if ((octave - low) % 2 === 0)
			svg.append(make("text", { x: left - 4, y: (high - octave + 1) * cell_height + 4, "text-anchor": "end" },
				formats.ns(2 ** octave * 1e9)));
	}
	const seconds = data.latency.columns.reduce((total, column) => total + column.duration_ns, 0);
	svg.append(make("text", { x: left, y: height + 14 }, "begin"),
		   make("text", { x: left + width, y: height + 14, "text-anchor": "end" }, formats.ns(seconds)));
	return svg;
}

function latency_table(index) {
	const base = `latency.series.${index}.cells`;
	return make("details", {}, make("summary", {}, "The same in figures"),
		table("Each part of the time", base, [
			["ended, UTC", (_, cell) => new Date(data.latency.columns[cell[0]].end * 1000).toISOString().slice(11, 21), "left name"],
			["long", (_, cell) => figure("ns", `latency.columns.${cell[0]}.duration_ns`)],
			["p50", path => figure("ns", `q(${path}.1, 0.5)`)],
			["p99", path => figure("ns", `q(${path}.1, 0.99)`)],
			["most", path => figure("ns", `q(${path}.1, 1)`)],
		]));
}

function draw_latency() {
	const { series, left_out } = data.latency;
	if (!series.length) {
		put("latency", paragraph("Nothing was saved of it."));
		return;
	}
	const select = make("select", { id: "series" }, series.map((one, i) =>
		make("option", { value: i }, `${one.comm} ${one.tgid}: ${one.of}: ${WHAT[one.what]}`)));
	const map = make("div", { "aria-live": "polite" });
	const show = () => {
		const one = series[select.value];
		map.replaceChildren(make("p", { class: "dim" }, `${one.comm} ${one.tgid}, ${one.of}, ${WHAT[one.what]}: `,
			figure("count", `latency.series.${select.value}.count`), " times"),
			make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Map" }, heat_map(one)),
			latency_table(select.value));
	};
	/* Turns say most about a loop; else the first, which there is most of. */
	select.value = Math.max(0, series.findIndex(one => one.what === "turn"));
	select.addEventListener("change", show);
	put("latency", paragraph(make("label", { for: "series" }, "Of "), select), map);
	if (left_out)
		put("latency", make("p", { class: "dim" }, figure("count", "latency.left_out"), " more, which happen less often, are not shown."));
	show();
}

const loop_name = (path, row) => [row.loop.by, " ", figure("id", `${path}.loop.${row.loop.epfd === undefined ? "tid" : "epfd"}`)];
const mean = (format, total, count) => figure(format, `${total} / ${count}`);

function draw_loops() {
	if (!data.loops.rows.length) {
		put("loops", paragraph("None was seen."));
		return;
	}
	put("loops", table("Loops: a turn is from the return of a wait to the next wait", "loops.rows", [
		["process", who, "left name"], ["loop", loop_name, "left"],
		["busy", path => figure("percent", `${path}.loop.utilisation`)],
		["turns", path => figure("count", `${path}.loop.turns.count`)],
		["turn", path => mean("ns", `${path}.loop.turns.wall_ns`, `${path}.loop.turns.count`)],
		["p99", path => figure("ns", `q(${path}.loop.turns.hist, 0.99)`)],
		["in turns", path => bar(`${path}.loop.turns.wall_ns`, [["blocked", `${path}.loop.turns.blocked_ns`],
			["runnable", `${path}.loop.turns.runnable_ns`], ["kernel", `${path}.loop.turns.on_cpu_ns`]]), "bars"],
		["on CPU", path => figure("ns", `${path}.loop.turns.on_cpu_ns`)],
		["waits", path => figure("count", `${path}.loop.waits`)],
		["events", path => mean("ratio", `${path}.loop.events`, `${path}.loop.waits`)],
		["reported", path => mean("ns", `${path}.loop.lag.ready_to_reported.ns`, `${path}.loop.lag.ready_to_reported.count`)],
		["served", path => mean("ns", `${path}.loop.lag.reported_to_served.ns`, `${path}.loop.lag.reported_to_served.count`)],
	], hidden_rows("loops")));
	put("loops", make("p", { class: "dim" }, "In turns: blocked, runnable, and the rest on the CPU. Reported, served: the mean ",
		"time from when a descriptor became ready until a wait reported it, and until it was used."));
}

function draw_scans() {
	const scans = row => row.class === "wait" && row.scanned !== undefined && row.calls;

	if (!data.calls.rows.some(scans)) {
		put("scans", paragraph("No wait ended in this time."));
		return;
	}
	put("scans", table("Descriptors that waits were asked for, looked at, and found ready; means for each call", "calls.rows", [
		["process", who, "left name"], ["call", (_, row) => row.call, "left"],
		["calls", path => figure("count", `${path}.calls`)],
		["asked", path => mean("ratio", `${path}.asked`, `${path}.calls`)],
		["scanned", (path, row) => [TIER_MARKS[row.tiers.scanned], mean("ratio", `${path}.scanned`, `${path}.calls`)]],
		["ready", path => mean("ratio", `${path}.ready`, `${path}.calls`)],
		["scanned for each ready", path => mean("ratio", `${path}.scanned`, `${path}.ready`)],
		["of what is scanned, ready", path => bar(`${path}.scanned`, [["copy", `${path}.ready`]]), "bars"],
		["returned nothing", path => figure("count", `${path}.results.zero`)],
		["kernel", path => figure("ns", `${path}.kernel_ns`)],
	], "", scans));
}

function watched(row) {
	const interest = row.interest;
	if (!interest)
		return DASH;
	return interest.by !== "epoll" ? interest.by : (interest.et ? "ET" : "LT") + (interest.oneshot ? "1" : "") +
	       (interest.exclusive ? "X" : "");
}

function draw_descriptors() {
	if (!data.descriptors.rows.length) {
		put("descriptors", paragraph("None was used."));
		return;
	}
	put("descriptors", table("Descriptors, those with most time in calls first", "descriptors.rows", [
		["process", who, "left name"], ["fd", path => figure("id", `${path}.fd`)], ["name", (_, row) => row.name, "left"],
		["waited for", (_, row) => watched(row)],
		["calls", path => figure("count", `${path}.calls`)],
		["in", path => figure("bytes", `${path}.in_bytes`)], ["out", path => figure("bytes", `${path}.out_bytes`)],
		["phases", path => phases(path), "bars"],
		["blocked", path => figure("ns", `${path}.blocked_ns`)],
		["reports", path => figure("count", `${path}.reported`)],
		["unserved", path => figure("count", `${path}.unserved`)],
		["served", path => mean("ns", `${path}.lag.reported_to_served.ns`, `${path}.lag.reported_to_served.count`)],
	], hidden_rows("descriptors")));
}

function draw_measured() {
	put("measured", paragraph(`By iophase ${data.doctor.version}, ${data.doctor.backend} backend. `, "A figure that is not known is ",
		`"${DASH}"; "<" is at most, ">" at least, "~" a bound of both kinds.`),
	    paragraph("It cost ", figure("ns", "doctor.cost.bpf_ns"), " of CPU time in hooks and ",
		figure("ns", "doctor.cost.user_ns + doctor.cost.system_ns"), " in iophase itself, after ",
		figure("ns", "doctor.cost.setup_ns"), " to set it up; ", figure("bytes", "doctor.cost.max_rss_bytes"), " of memory, and ",
		figure("bytes", "doctor.cost.bpf_memory_bytes"), " in the kernel."));
	for (const { what, why } of data.doctor.not_known)
		put("measured", make("p", { class: "warning" }, `Not known: ${what}: ${why}`));
	for (const { comm, tgid, calls } of data.doctor.left_out ?? [])
		put("measured", make("p", { class: "warning" }, `Left out, for it is a 32-bit program: ${comm} ${tgid}, ${calls} calls`));
}

draw_head();
draw_summary();
draw_findings();
draw_phases();
draw_latency();
draw_loops();
draw_scans();
draw_descriptors();
draw_measured();
