// SPDX-License-Identifier: GPL-2.0-only
// java Nio SCENE VARIANT PORT: faults with a java.nio Selector. See talk.c and scene.h.

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;

public class Nio {
	private static final int RARE = 100;
	private static final String SPIN = "\"spins_per_s\":[2000,1000000000],"
			+ "\"cpu_ms_per_s\":[200,1100]";
	private static final String RARE_SPIN = "\"spins_per_s\":[50,1000000000]";

	private static String scene, variant;
	private static int round;
	private static final ByteBuffer words = ByteBuffer.allocateDirect(65536);

	public static void main(String[] args) throws IOException {
		SocketChannel client = SocketChannel.open(
				new InetSocketAddress("127.0.0.1", Integer.parseInt(args[2])));
		Selector selector = Selector.open();

		scene = args[0];
		variant = args[1];
		client.configureBlocking(false);
		client.register(selector, SelectionKey.OP_READ);
		switch (scene) {
		case "select-now":
			tell("zero-timeout", SPIN);
			selectNow(selector);
			break;
		case "op-write":
			tell("lt-spin", variant.equals("fault") ? SPIN : RARE_SPIN);
			opWrite(selector);
			break;
		default:
			tell("lt-spin", variant.equals("fault") ? SPIN : RARE_SPIN);
			unread(selector);
		}
	}

	private static boolean faultNow() {
		round++;
		return variant.equals("fault")
				|| variant.equals("rare") && round % RARE == RARE / 2;
	}

	private static void tell(String rule, String evidence) throws IOException {
		Path thread = Files.readSymbolicLink(Path.of("/proc/thread-self"));
		String[] self = thread.toString().split("/");

		System.out.printf("{\"rule\":\"%s\",\"scene\":\"%s\",\"variant\":\"%s\",\"pid\":%s,"
				+ "\"tid\":%s,\"fd\":null,\"evidence\":{%s}}%n",
				rule, scene, variant, self[0], self[2], evidence);
		System.out.flush();
	}

	/* Whether something was read, and so is answered. */
	private static boolean echo(SelectionKey key) throws IOException {
		SocketChannel client = (SocketChannel) key.channel();
		int n;

		words.clear();
		n = client.read(words);
		if (n < 0)
			System.exit(0);
		if (n > 0)
			client.write(ByteBuffer.wrap(new byte[] {'a'}));
		return n > 0;
	}

	/* The loop asks, and does not wait. */
	private static void selectNow(Selector selector) throws IOException {
		while (true) {
			if (variant.equals("healthy"))
				selector.select();
			else
				selector.selectNow();
			for (SelectionKey key : selector.selectedKeys())
				echo(key);
			selector.selectedKeys().clear();
		}
	}

	/* OP_WRITE stays in the interest set after the answer. */
	private static void opWrite(Selector selector) throws IOException {
		while (true) {
			selector.select();
			for (SelectionKey key : selector.selectedKeys())
				if (key.isReadable() && echo(key))
					key.interestOps(SelectionKey.OP_READ
							| (faultNow() ? SelectionKey.OP_WRITE : 0));
			selector.selectedKeys().clear();
		}
	}

	/* A ready key that is neither served nor given up, for a while. */
	private static void unread(Selector selector) throws IOException {
		while (true) {
			selector.select();
			if (faultNow())
				spin(selector, 20_000_000);
			for (SelectionKey key : selector.selectedKeys())
				echo(key);
			selector.selectedKeys().clear();
		}
	}

	private static void spin(Selector selector, long ns) throws IOException {
		for (long end = System.nanoTime() + ns; System.nanoTime() < end;)
			selector.select();
	}
}
