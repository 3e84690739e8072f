// SPDX-License-Identifier: MIT

// Reads a libvirt domain's XML for the devices of device.h.

#include <Poco/AutoPtr.h>
#include <Poco/DOM/DOMParser.h>
#include <Poco/DOM/Document.h>
#include <Poco/DOM/Element.h>
#include <Poco/DOM/NodeList.h>
#include <Poco/Exception.h>

#include "cli/device.h"
#include "pbotvm/error.h"

namespace pbotvm::cli {

namespace {

using Poco::AutoPtr;
using Poco::XML::Document;
using Poco::XML::Element;

constexpr const char* port_name = "pbotvm.data";

std::vector<const Element*> children(const Element& parent, const std::string& name) {
  std::vector<const Element*> found;
  for (auto* node = parent.firstChild(); node != nullptr; node = node->nextSibling()) {
    if (node->nodeType() == Poco::XML::Node::ELEMENT_NODE && node->nodeName() == name)
      found.push_back(static_cast<const Element*>(node));
  }
  return found;
}

std::string attribute(const Element& parent, const std::string& child, const std::string& name) {
  const auto found = children(parent, child);
  return found.empty() ? std::string() : found.front()->getAttribute(name);
}

// "tcp 127.0.0.1:5555", "pty"
std::string line_text(const Element& line) {
  const std::string type = line.getAttribute("type");
  if (type == "tcp") return "tcp " + attribute(line, "source", "host") + ":" + attribute(line, "source", "service");
  const std::string path = attribute(line, "source", "path");
  return type + (path.empty() || type == "pty" ? "" : " " + path);
}

std::string wanted_text(const Endpoint& endpoint) {
  if (endpoint.kind == Endpoint::Kind::unix_socket) return "unix " + endpoint.path;
  return "tcp " + endpoint.address + ":" + std::to_string(endpoint.port);
}

DeviceInDomain serial_in(const Element& devices, const Device& device) {
  using State = DeviceInDomain::State;
  const std::string wanted = wanted_text(device.endpoint), port = std::to_string(device.port);
  for (const Element* line : children(devices, "serial")) {
    const bool same_port = attribute(*line, "target", "port") == port, same_line = line_text(*line) == wanted;
    if (same_port && same_line) return {State::present};
    if (same_port || same_line)
      return {State::conflict, "serial port " + attribute(*line, "target", "port") + " is " + line_text(*line)};
  }
  return {};
}

DeviceInDomain channel_in(const Element& devices, const Device& device) {
  using State = DeviceInDomain::State;
  const std::string wanted = wanted_text(device.endpoint);
  for (const Element* line : children(devices, "channel")) {
    const bool same_port = attribute(*line, "target", "name") == port_name, same_line = line_text(*line) == wanted;
    if (same_port && same_line) return {State::present};
    if (same_port || same_line)
      return {State::conflict, "virtio-serial port " + attribute(*line, "target", "name") + " is " + line_text(*line)};
  }
  return {};
}

DeviceInDomain vsock_in(const Element& devices, const Device& device) {
  using State = DeviceInDomain::State;
  for (const Element* vsock : children(devices, "vsock")) {
    const std::string cid = attribute(*vsock, "cid", "address");
    if (attribute(*vsock, "cid", "auto") != "yes" && cid == std::to_string(device.cid)) return {State::present};
    return {State::conflict, "its vsock has the context id " + (cid.empty() ? "that libvirt chooses" : cid)};
  }
  return {};
}

AutoPtr<Document> parse(const std::string& xml) {
  try {
    Poco::XML::DOMParser parser;
    parser.setFeature(Poco::XML::XMLReader::FEATURE_EXTERNAL_GENERAL_ENTITIES, false);
    parser.setFeature(Poco::XML::XMLReader::FEATURE_EXTERNAL_PARAMETER_ENTITIES, false);
    return parser.parseString(xml);
  } catch (const Poco::Exception& e) {
    throw Error(ErrorCode::protocol, "the domain's XML cannot be read: " + e.displayText(),
                "look at what `virsh dumpxml` prints");
  }
}

std::vector<const Element*> devices_in(const Document& document) {
  const Element* root = document.documentElement();
  auto devices = root == nullptr ? std::vector<const Element*>() : children(*root, "devices");
  if (devices.empty()) throw Error(ErrorCode::protocol, "the domain's XML has no devices");
  return devices;
}

}  // namespace

std::vector<std::string> written_files(const std::string& domain_xml) {
  const auto document = parse(domain_xml);
  std::vector<std::string> files;
  for (const Element* disk : children(*devices_in(*document).front(), "disk")) {
    const std::string device = disk->getAttribute("device"), file = attribute(*disk, "source", "file");
    if ((device.empty() || device == "disk") && !file.empty() && children(*disk, "readonly").empty())
      files.push_back(file);
  }
  return files;
}

DeviceInDomain find_device(const std::string& domain_xml, const Device& device) {
  const auto document = parse(domain_xml);
  const auto devices = devices_in(*document);
  switch (device.kind) {
    case Device::Kind::serial:
      return serial_in(*devices.front(), device);
    case Device::Kind::virtio_serial:
      return channel_in(*devices.front(), device);
    case Device::Kind::vsock:
      break;
  }
  return vsock_in(*devices.front(), device);
}

}  // namespace pbotvm::cli
