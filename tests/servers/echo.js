#!/usr/bin/node
// SPDX-License-Identifier: GPL-2.0-only
// TCP echo server: every client hears what it says.
'use strict';

const net = require('net');
const option = process.argv.indexOf('--port');
const port = option < 0 ? 0 : Number(process.argv[option + 1]);

const server = net.createServer({ noDelay: true }, (socket) => {
	socket.on('error', () => socket.destroy());
	socket.pipe(socket);
});

server.listen(port, '127.0.0.1', 512, () => console.log('port', server.address().port));
for (const signal of ['SIGINT', 'SIGTERM'])
	process.on(signal, () => process.exit(0));
