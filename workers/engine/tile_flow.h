// The tiles between the pipeline's threads.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "workers/engine/tile_encoder.h"
#include "workers/quant/device.h"

namespace quantd {

struct RawTile {
  int64_t sequence = 0;
  size_t segment = 0;     // of the schedule
  int64_t first_row = 0;  // of the source tensor
  int64_t rows = 0;
  std::unique_ptr<quant::HostBuffer> buffer;
  size_t size = 0;  // bytes of the buffer that are the tile's
};

struct FinishedTile {
  size_t segment = 0;
  int64_t rows = 0;
  bool ends_segment = false;
  int64_t source_bytes = 0;
  std::vector<EncodedTile> encoded;  // one for each route of the segment
  double seconds = 0.0;              // of encoding them
};

// Safe for one reader, any number of encoders and one writer. The first error ends everything.
class TileFlow {
 public:
  // At most `most` tiles exist at a time.
  explicit TileFlow(int64_t most) : most_(most) {}

  // Waits for room for one more tile. False when the run has ended.
  bool Reserve();
  // A tile that Reserve made room for.
  void Push(RawTile tile);
  // Nothing when there will be no more.
  std::optional<RawTile> TakeRaw();
  void PutFinished(int64_t sequence, FinishedTile tile);
  // In order of sequence. Nothing when all are taken or the run has ended.
  std::optional<FinishedTile> TakeFinished();
  // The writer is done with a tile: its memory may be used again.
  void Release(FinishedTile tile);

  // Memory of tiles that went through, or new. Nothing where there is none yet.
  FinishedTile UsedTile();
  std::unique_ptr<quant::HostBuffer> UsedBuffer();
  void GiveBack(std::unique_ptr<quant::HostBuffer> buffer);

  // The reader has pushed all tiles, so many.
  void AllPushed(int64_t total);
  void Fail(absl::Status status);
  absl::Status status();

 private:
  const int64_t most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<RawTile> raw_;
  std::map<int64_t, FinishedTile> finished_;
  std::vector<FinishedTile> used_tiles_;
  std::vector<std::unique_ptr<quant::HostBuffer>> used_buffers_;
  int64_t in_flight_ = 0;
  int64_t next_ = 0;
  int64_t total_ = 0;
  bool all_pushed_ = false;
  bool ended_ = false;
  absl::Status status_;
};

}  // namespace quantd
