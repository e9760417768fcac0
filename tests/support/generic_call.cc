#include "tests/support/generic_call.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

namespace quantd {
namespace {

std::string TextOf(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string text;
  if (!buffer.Dump(&slices).ok()) return text;
  for (const grpc::Slice& slice : slices)
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return text;
}

}  // namespace

GenericAnswer CallByName(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                         const std::string& request, const CallMetadata& metadata,
                         std::chrono::seconds timeout) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  for (const auto& [name, value] : metadata) context.AddMetadata(name, value);
  grpc::CompletionQueue queue;
  // One operation at a time: the queue gives back what was started.
  const auto wait = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  grpc::GenericStub stub(channel);
  auto call = stub.PrepareCall(&context, method, &queue);
  GenericAnswer answer;
  call->StartCall(nullptr);
  if (wait()) {
    const grpc::Slice slice(request);
    call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
    wait();
    for (grpc::ByteBuffer message;;) {
      call->Read(&message, nullptr);
      if (!wait()) break;
      answer.messages.push_back(TextOf(message));
    }
  }
  call->Finish(&answer.status, nullptr);
  wait();
  for (const auto& [name, value] : context.GetServerTrailingMetadata())
    answer.trailing_metadata.emplace(std::string(name.data(), name.size()),
                                     std::string(value.data(), value.size()));
  return answer;
}

}  // namespace quantd
