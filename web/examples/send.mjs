// Sends an expression to a VTuber program by the VMC protocol, 30 times a second for as long as it is asked to:
// node examples/send.mjs '{"mouthSmileLeft": 1, "mouthSmileRight": 1}' 39539 10
import { createSocket } from "node:dgram";
import { vmc } from "../dist/senders.js";

const [weights = '{"mouthSmileLeft": 1, "mouthSmileRight": 1}', port = "39539", seconds = "10"] = process.argv.slice(2);
const datagram = vmc(JSON.parse(weights));
const socket = createSocket("udp4");
const timer = setInterval(() => socket.send(datagram, Number(port), "127.0.0.1"), 1000 / 30);
setTimeout(() => {
  clearInterval(timer);
  socket.close();
}, 1000 * Number(seconds));
