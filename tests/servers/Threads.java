// SPDX-License-Identifier: GPL-2.0-only
// TCP echo server: every client hears what it says. A thread for each (java Threads.java PORT).

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

public class Threads {
	private static final int CHUNK_BYTES = 64 * 1024;

	public static void main(String[] args) throws IOException {
		InetAddress here = InetAddress.getByName("127.0.0.1");

		try (ServerSocket listener = new ServerSocket(Integer.parseInt(args[0]), 512, here)) {
			while (true) {
				Socket client = listener.accept();

				new Thread(() -> serve(client)).start();
			}
		}
	}

	private static void serve(Socket client) {
		byte[] chunk = new byte[CHUNK_BYTES];
		int length;

		try (client) {
			client.setTcpNoDelay(true);
			while ((length = client.getInputStream().read(chunk)) > 0)
				client.getOutputStream().write(chunk, 0, length);
		} catch (IOException gone) {
			// The client went away: nothing is owed to it.
		}
	}
}
