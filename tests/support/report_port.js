// Loaded before a server's own program: prints the address that its first socket was given, one JSON line on standard output.
// A server told to listen on port 0 has the kernel choose, which no other process can win from it; it has to say which.
const { Server } = require("node:net");

const listen = Server.prototype.listen;
Server.prototype.listen = function (...args) {
  this.once("listening", () => process.stdout.write(`${JSON.stringify(this.address())}\n`));
  return listen.apply(this, args);
};
