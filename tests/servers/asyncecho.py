#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""TCP echo server on asyncio: every client hears what it says."""

import argparse
import asyncio

CHUNK_BYTES = 64 * 1024


async def echo(reader, writer):
    try:
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    args = parser.parse_args()
    server = await asyncio.start_server(echo, "127.0.0.1", args.port, backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
