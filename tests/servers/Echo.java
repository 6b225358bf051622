// SPDX-License-Identifier: GPL-2.0-only
// TCP echo server: every client hears what it says. One thread, one Selector (java Echo.java PORT).

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

public class Echo {
	private static final int CHUNK_BYTES = 64 * 1024;

	public static void main(String[] args) throws IOException {
		Selector selector = Selector.open();
		ServerSocketChannel listener = ServerSocketChannel.open();

		listener.bind(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), 512);
		listener.configureBlocking(false);
		listener.register(selector, SelectionKey.OP_ACCEPT);
		while (true)
			selector.select(key -> {
				if (key.isAcceptable())
					welcome(selector, listener);
				else
					serve(key);
			});
	}

	private static void welcome(Selector selector, ServerSocketChannel listener) {
		try {
			SocketChannel client = listener.accept();
			if (client == null)
				return;
			client.configureBlocking(false);
			client.setOption(StandardSocketOptions.TCP_NODELAY, true);
			client.register(selector, SelectionKey.OP_READ, ByteBuffer.allocateDirect(CHUNK_BYTES));
		} catch (IOException error) {
			System.err.println(error);
		}
	}

	/* Reads when all that was read before is answered. */
	private static void serve(SelectionKey key) {
		SocketChannel client = (SocketChannel) key.channel();
		ByteBuffer words = (ByteBuffer) key.attachment();

		try {
			if (key.isReadable() && client.read(words) < 0) {
				client.close();
				return;
			}
			words.flip();
			client.write(words);
			key.interestOps(words.hasRemaining() ? SelectionKey.OP_WRITE : SelectionKey.OP_READ);
			words.compact();
		} catch (IOException error) {
			key.cancel();
			try {
				client.close();
			} catch (IOException ignored) {
			}
		}
	}
}
