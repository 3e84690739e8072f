// SPDX-License-Identifier: MIT
#pragma once

namespace Poco::Net {
class Socket;
}

namespace pbotvm::host {

/// Keeps a socket from the programs that plug-ins start: Poco makes its sockets without that flag, and a child that
/// inherited one would hold a port or a client's connection open.
void close_on_exec(const Poco::Net::Socket& socket);

}  // namespace pbotvm::host
