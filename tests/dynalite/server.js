// Copyright: Contributors to the labstream.aws project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// dynalite on a free loopback port, with all tables in memory. Says where in one line of JSON, and ends with its stdin.

"use strict";

const dynalite = require("dynalite");

const server = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
// Node closes a connection after five idle seconds, just when a slow machine may be using it again.
server.keepAliveTimeout = 0;
server.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ endpoint_url: `http://127.0.0.1:${server.address().port}` }));
});
process.stdin.on("end", () => process.exit(0)).resume();
