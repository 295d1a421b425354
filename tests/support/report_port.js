// Loaded before a server's own program, for a server of this test run:
// - prints the address that its first socket was given, one JSON line on standard output. A server that is told port 0
//   has the kernel choose a free one, which no other process can win from it; it only has to say which;
// - ends the server when standard input ends, so that a test run that is killed leaves nothing behind.
"use strict";

const { Server } = require("node:net");

const listen = Server.prototype.listen;
Server.prototype.listen = function (...args) {
  this.once("listening", () => process.stdout.write(`${JSON.stringify(this.address())}\n`));
  return listen.apply(this, args);
};

process.stdin.on("end", () => process.exit(0)).resume();
