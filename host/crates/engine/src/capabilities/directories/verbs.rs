//! The calls on descriptors: each checked, then handed on.

use std::sync::Arc;

use mhost_model::grant::Access::{ReadOnly, ReadWrite};
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, File};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntryStream, ErrorCode,
    Filesize, HostDescriptor, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsResult};

use super::metered::{Input, Output};
use super::{Owner, refused, rewrap};
use crate::state::Call;

impl Call<'_> {
    /// The file behind a descriptor.
    fn file(&self, descriptor: &Resource<Descriptor>) -> FsResult<File> {
        match self.table.get(descriptor)? {
            Descriptor::File(file) => Ok(file.clone()),
            Descriptor::Dir(_) => Err(ErrorCode::IsDirectory.into()),
        }
    }

    /// Refuses what is neither file nor directory, before opening it could block.
    async fn check_kind(&mut self, descriptor: u32, flags: PathFlags, path: &str) -> FsResult<()> {
        let descriptor = Resource::new_borrow(descriptor);
        match self
            .files()
            .stat_at(descriptor, flags, path.to_owned())
            .await
        {
            Ok(stat) => match stat.type_ {
                DescriptorType::RegularFile
                | DescriptorType::Directory
                | DescriptorType::SymbolicLink => Ok(()),
                _ => Err(ErrorCode::Unsupported.into()),
            },
            // Opening says better what is wrong, or makes the file.
            Err(_) => Ok(()),
        }
    }

    /// Refuses it again when it is open: the name may have been exchanged meanwhile.
    fn check_opened(&mut self, opened: Resource<Descriptor>) -> FsResult<Resource<Descriptor>> {
        let good = match self.table.get(&opened)? {
            Descriptor::File(file) => file.file.metadata().is_ok_and(|found| found.is_file()),
            Descriptor::Dir(_) => true,
        };
        if good {
            return Ok(opened);
        }
        self.table.delete(opened)?;
        Err(ErrorCode::Unsupported.into())
    }

    fn output(
        &mut self,
        file: File,
        stream: Resource<DynOutputStream>,
    ) -> FsResult<Resource<DynOutputStream>> {
        let shared = Arc::clone(&self.shared);
        let wrap = |inner| -> DynOutputStream { Box::new(Output::new(inner, shared, file.file)) };
        rewrap(&mut self.table, stream, wrap)
    }
}

impl HostDescriptor for Call<'_> {
    async fn advise(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
        length: Filesize,
        advice: Advice,
    ) -> FsResult<()> {
        self.files().advise(fd, offset, length, advice).await
    }

    async fn sync_data(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        self.files().sync_data(fd).await
    }

    async fn get_flags(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorFlags> {
        self.files().get_flags(fd).await
    }

    async fn get_type(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorType> {
        self.files().get_type(fd).await
    }

    async fn set_size(&mut self, fd: Resource<Descriptor>, size: Filesize) -> FsResult<()> {
        let permit = self.may(&fd, ReadWrite, "truncate", "")?;
        self.files().set_size(fd, size).await?;
        self.shared.meter.changed(1);
        permit.used();
        Ok(())
    }

    async fn set_times(
        &mut self,
        fd: Resource<Descriptor>,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        let permit = self.may(&fd, ReadWrite, "set-times", "")?;
        self.files().set_times(fd, accessed, modified).await?;
        self.shared.meter.changed(1);
        permit.used();
        Ok(())
    }

    async fn read(
        &mut self,
        fd: Resource<Descriptor>,
        length: Filesize,
        offset: Filesize,
    ) -> FsResult<(Vec<u8>, bool)> {
        let (data, end) = self.files().read(fd, length, offset).await?;
        self.shared.meter.read(data.len() as u64);
        Ok((data, end))
    }

    async fn write(
        &mut self,
        fd: Resource<Descriptor>,
        data: Vec<u8>,
        offset: Filesize,
    ) -> FsResult<Filesize> {
        let permit = self.may(&fd, ReadWrite, "write", "")?;
        let (file, asked) = (self.file(&fd)?, data.len() as u64);
        let taken = self.shared.budget.take(asked, &*file.file);
        taken.map_err(|fault| refused(&fault))?;
        let written = self.files().write(fd, data, offset).await;
        let done = written.as_ref().map_or(0, |written| *written);
        self.shared.budget.give_back(asked.saturating_sub(done));
        permit.used();
        written
    }

    async fn read_directory(
        &mut self,
        fd: Resource<Descriptor>,
    ) -> FsResult<Resource<DirectoryEntryStream>> {
        let permit = self.may(&fd, ReadOnly, "list", "")?;
        self.check_listings()?;
        let stream = self.files().read_directory(fd).await?;
        self.listings += 1;
        permit.used();
        Ok(stream)
    }

    async fn sync(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        self.files().sync(fd).await
    }

    async fn create_directory_at(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        let permit = self.may(&fd, ReadWrite, "create-directory", &path)?;
        self.files().create_directory_at(fd, path).await?;
        self.shared.meter.changed(1);
        permit.used();
        Ok(())
    }

    async fn stat(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorStat> {
        self.files().stat(fd).await
    }

    async fn stat_at(
        &mut self,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        let permit = self.may(&fd, ReadOnly, "stat", "")?;
        let stat = self.files().stat_at(fd, flags, path).await?;
        permit.used();
        Ok(stat)
    }

    async fn set_times_at(
        &mut self,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        let permit = self.may(&fd, ReadWrite, "set-times", &path)?;
        let files = &mut self.files();
        files
            .set_times_at(fd, flags, path, accessed, modified)
            .await?;
        self.shared.meter.changed(1);
        permit.used();
        Ok(())
    }

    async fn link_at(
        &mut self,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
        new: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        let permit = self.may(&new, ReadWrite, "hard-link", &new_path)?;
        self.same_grant(&fd, &new)?;
        self.files().link_at(fd, flags, path, new, new_path).await?;
        self.shared.meter.changed(1);
        permit.used();
        Ok(())
    }

    async fn open_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let changes = open.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE)
            || flags.contains(DescriptorFlags::WRITE);
        let (access, verb) = if changes {
            (ReadWrite, "write")
        } else {
            (ReadOnly, "read")
        };
        let permit = self.may(&fd, access, verb, &path)?;
        let owner = self.owner(&fd)?;
        let owner = Owner {
            grant: owner.grant.clone(),
            path: owner.join(&path),
        };
        self.check_kind(fd.rep(), path_flags, &path).await?;
        let opened = self
            .files()
            .open_at(fd, path_flags, path, open, flags)
            .await?;
        let opened = self.check_opened(opened)?;
        self.owners.insert(opened.rep(), owner);
        self.shared.meter.opened();
        if changes {
            self.shared.meter.changed(1);
        }
        permit.used();
        Ok(opened)
    }

    fn drop(&mut self, fd: Resource<Descriptor>) -> wasmtime::Result<()> {
        self.owners.remove(&fd.rep());
        HostDescriptor::drop(&mut self.files(), fd)
    }

    async fn readlink_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<String> {
        self.files().readlink_at(fd, path).await
    }

    async fn remove_directory_at(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        let permit = self.may(&fd, ReadWrite, "remove-directory", &path)?;
        self.files().remove_directory_at(fd, path).await?;
        self.shared.meter.changed(1);
        permit.used();
        Ok(())
    }

    async fn rename_at(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
        new: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        let permit = self.may(&fd, ReadWrite, "rename", &path)?;
        self.same_grant(&fd, &new)?;
        self.files().rename_at(fd, path, new, new_path).await?;
        self.shared.meter.changed(1);
        permit.used();
        Ok(())
    }

    async fn symlink_at(
        &mut self,
        fd: Resource<Descriptor>,
        target: String,
        path: String,
    ) -> FsResult<()> {
        let permit = self.may(&fd, ReadWrite, "symbolic-link", &path)?;
        self.files().symlink_at(fd, target, path).await?;
        self.shared.meter.changed(1);
        permit.used();
        Ok(())
    }

    async fn unlink_file_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        let permit = self.may(&fd, ReadWrite, "remove", &path)?;
        self.files().unlink_file_at(fd, path).await?;
        self.shared.meter.changed(1);
        permit.used();
        Ok(())
    }

    fn read_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<DynInputStream>> {
        let stream = self.files().read_via_stream(fd, offset)?;
        let shared = Arc::clone(&self.shared);
        let wrap = |inner| -> DynInputStream { Box::new(Input { inner, shared }) };
        rewrap(&mut self.table, stream, wrap)
    }

    fn write_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<DynOutputStream>> {
        self.may(&fd, ReadWrite, "write", "")?;
        let file = self.file(&fd)?;
        let stream = self.files().write_via_stream(fd, offset)?;
        self.output(file, stream)
    }

    fn append_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
    ) -> FsResult<Resource<DynOutputStream>> {
        self.may(&fd, ReadWrite, "append", "")?;
        let file = self.file(&fd)?;
        let stream = self.files().append_via_stream(fd)?;
        self.output(file, stream)
    }

    async fn is_same_object(
        &mut self,
        one: Resource<Descriptor>,
        other: Resource<Descriptor>,
    ) -> wasmtime::Result<bool> {
        self.files().is_same_object(one, other).await
    }

    async fn metadata_hash(&mut self, fd: Resource<Descriptor>) -> FsResult<MetadataHashValue> {
        self.files().metadata_hash(fd).await
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        self.files().metadata_hash_at(fd, flags, path).await
    }
}
