// Opening, listeners, locks. What the catalogue keeps is in the files beside this one.
#include "storage/catalogue/catalogue.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace quantd {
namespace {

// Between servers: what happened, and to which job or plan.
constexpr char kJobChanged[] = "job";
constexpr char kPlanFinished[] = "plan";
constexpr char kTaskQueued[] = "task";

}  // namespace

Catalogue::Catalogue(std::unique_ptr<Database> database, CatalogueOptions options)
    : options_(std::move(options)), database_(std::move(database)) {}

Catalogue::~Catalogue() = default;

absl::StatusOr<std::unique_ptr<Catalogue>> Catalogue::Open(const std::string& address, Clock& clock,
                                                           CatalogueOptions options) {
  ASSIGN_OR_RETURN(std::unique_ptr<Database> database, OpenDatabase(address, clock));
  return std::unique_ptr<Catalogue>(new Catalogue(std::move(database), std::move(options)));
}

void Catalogue::SetListener(CatalogueListener listener) {
  listener_ = std::move(listener);
  database_->Listen({.on_message = [this](std::string_view message) { HearPublication(message); },
                     .on_missed =
                         [this] {
                           if (listener_.on_missed) listener_.on_missed();
                         }});
}

absl::Status Catalogue::Publish(const Change& change) {
  std::set<std::string> jobs;
  for (const JobNews& news : change.news.jobs) jobs.insert(news.job_id);
  for (const std::string& job : jobs)
    RETURN_IF_ERROR(change.sql.Publish(absl::StrCat(kJobChanged, " ", job)));
  for (const std::string& plan : change.news.plans)
    RETURN_IF_ERROR(change.sql.Publish(absl::StrCat(kPlanFinished, " ", plan)));
  return change.news.task_queued ? change.sql.Publish(kTaskQueued) : absl::OkStatus();
}

void Catalogue::Notify(const News& news) {
  if (news.task_queued && listener_.on_task_queued) listener_.on_task_queued();
  for (const JobNews& job : news.jobs) {
    if (listener_.on_job_event) listener_.on_job_event(job);
    if (listener_.on_job_changed) listener_.on_job_changed(job.job_id);
  }
  if (listener_.on_plan_finished) {
    for (const std::string& plan : news.plans) listener_.on_plan_finished(plan);
  }
}

void Catalogue::HearPublication(std::string_view message) {
  const size_t space = message.find(' ');
  const std::string_view what = message.substr(0, space);
  const std::string which(space == message.npos ? "" : message.substr(space + 1));
  if (what == kJobChanged) {
    if (listener_.on_job_changed) listener_.on_job_changed(which);
  } else if (what == kPlanFinished) {
    if (listener_.on_plan_finished) listener_.on_plan_finished(which);
  } else if (what == kTaskQueued) {
    if (listener_.on_task_queued) listener_.on_task_queued();
  }
}

absl::Status Catalogue::LockContent(Change& change) {
  return change.sql.Prepare(change.sql.dialect().lock_content)->Run();
}

absl::Status Catalogue::LockQueue(Change& change) {
  return change.sql.Prepare(change.sql.dialect().lock_queue)->Run();
}

absl::Status Catalogue::LockTasks(Change& change, const char* column, const std::string& value) {
  return change.sql
      .Prepare(absl::StrCat("SELECT id FROM tasks WHERE ", column, "=? ORDER BY sequence",
                            change.sql.dialect().lock_rows))
      ->BindAll(value)
      .Run();
}

absl::Status Catalogue::LockModel(Change& change, const std::string& id) {
  return change.sql.Prepare(absl::StrCat("SELECT id FROM models WHERE id=?", change.sql.dialect().lock_rows))
      ->BindAll(id)
      .Run();
}

absl::Status Catalogue::LockJob(Change& change, const std::string& id) {
  return change.sql.Prepare(absl::StrCat("SELECT id FROM jobs WHERE id=?", change.sql.dialect().lock_rows))
      ->BindAll(id)
      .Run();
}

}  // namespace quantd
