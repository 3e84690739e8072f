// SPDX-License-Identifier: MIT
#pragma once

namespace Poco::Net {
class ServerSocket;
}

namespace pbotvm::host {

/// A TCP or UNIX socket, not bound yet. Neither it nor what it accepts is ever seen by a program that this host starts:
/// Poco makes its sockets without that flag, and a child that inherited one would hold a port or a client's connection
/// open. Setting the flag afterwards would be too late for a child that is started in between.
/// Throws Poco::Exception from its bind(), listen() and acceptConnection().
Poco::Net::ServerSocket listening_socket();

}  // namespace pbotvm::host
